//! Generations, as operators see them.

use database::on;
use serde_json::json;

use super::{Place, on_both};

on_both!(generations_are_told_with_what_is_parked_and_what_their_tables_take);

async fn generations_are_told_with_what_is_parked_and_what_their_tables_take(place: Place) {
    let store = place.store().await;
    let parks = "update checkpoints set parked = 2 where projection = 'users' and partition in (3, 5)";
    on!(&store.database.writer, |db| sqlx::query(parks).execute(db).await.map(drop)).unwrap();
    assert_eq!(store.parked_by_generation().await.unwrap(), [(("users".to_owned(), 1), 4)].into());

    let size = async || store.bytes(&["users_g1".into(), "nothing_g1".into()]).await.unwrap();
    let (empty, fill) = (
        size().await,
        store.database.writer.pick(
            "insert into users_g1 select randomblob(16) from json_each($1)",
            "insert into users_g1 select gen_random_uuid() from jsonb_array_elements($1)",
        ),
    );
    let many = sqlx::types::Json(json!(vec![0; 5_000]));
    on!(&store.database.writer, |db| sqlx::query(fill).bind(many).execute(db).await.map(drop)).unwrap();
    let filled = size().await;
    assert!(empty > 0 && filled > empty + 5_000 * 16, "{empty}, {filled}");
    assert_eq!(store.bytes(&[]).await.unwrap(), 0);
}
