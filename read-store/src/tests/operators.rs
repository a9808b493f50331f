//! Jobs and generations, as operators ask for them and see them.

use database::on;
use serde_json::json;

use super::{Place, on_both};
use crate::{
    jobs::{Job, Kind, Phase, Request, State, Submitted, Wish},
    views,
};

on_both! {
    of_a_projection_and_version_one_job_is_open_at_a_time,
    what_is_wished_of_a_job_is_kept_until_it_has_ended,
    generations_are_told_with_what_their_tables_take,
}

async fn submitted(store: &crate::ReadStore, kind: Kind) -> Submitted {
    store.submit(kind, "users", views::USERS.version, &Request { dry_run: true, ..Request::default() }).await.unwrap()
}

fn new(submitted: Submitted) -> Job {
    let Submitted::New(job) = submitted else { panic!("{submitted:?}") };
    job
}

/// What is wanted of a job, as whoever runs it reads it.
async fn wanted(store: &crate::ReadStore, job: &Job) -> (State, Option<String>) {
    let sql = "select wanted from jobs where id = $1";
    let wanted = on!(&store.database.reader, |db| sqlx::query_scalar(sql).bind(job.id).fetch_one(db).await.unwrap());
    (store.job(job.id).await.unwrap().unwrap().state, wanted)
}

async fn ends(store: &crate::ReadStore, job: &Job) {
    let sql = "update jobs set state = 'done' where id = $1";
    on!(&store.database.writer, |db| sqlx::query(sql).bind(job.id).execute(db).await.map(drop)).unwrap();
}

async fn of_a_projection_and_version_one_job_is_open_at_a_time(place: Place) {
    let store = place.open().await;
    let (one, other) = tokio::join!(submitted(&store, Kind::Rebuild), submitted(&store, Kind::Verify));
    let (first, refused) = if matches!(one, Submitted::New(_)) { (one, other) } else { (other, one) };
    let first = new(first);
    assert_eq!(refused, Submitted::Open(first.clone()));
    assert_eq!((first.state, first.progress.phase, first.request.dry_run), (State::Running, Phase::Waiting, true));
    assert_eq!(store.job(first.id).await.unwrap(), Some(first.clone()));

    let other_version = store.submit(Kind::Rebuild, "users", views::USERS.version + 1, &Request::default()).await.unwrap();
    ends(&store, &first).await;
    let second = new(submitted(&store, Kind::Rebuild).await);
    let listed: Vec<_> = store.jobs(1).await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(listed, [second.id, new(other_version).id, first.id]);
    assert_eq!(store.jobs(0).await.unwrap().len(), 2, "open ones are always listed");
}

async fn what_is_wished_of_a_job_is_kept_until_it_has_ended(place: Place) {
    let store = place.open().await;
    let job = new(submitted(&store, Kind::Rebuild).await);
    for (wish, state, expected) in [
        (Wish::Pause, State::Running, Some("pause")),
        (Wish::Resume, State::Running, None),
        (Wish::Abort, State::Running, Some("abort")),
        (Wish::Pause, State::Running, Some("abort")),
        (Wish::Resume, State::Running, Some("abort")),
    ] {
        assert!(store.wish(job.id, wish).await.unwrap().is_some());
        assert_eq!(wanted(&store, &job).await, (state, expected.map(ToOwned::to_owned)), "{wish:?}");
    }
    let pauses = "update jobs set state = 'paused', wanted = null where id = $1";
    on!(&store.database.writer, |db| sqlx::query(pauses).bind(job.id).execute(db).await.map(drop)).unwrap();
    store.wish(job.id, Wish::Pause).await.unwrap().unwrap();
    assert_eq!(wanted(&store, &job).await, (State::Paused, None));
    store.wish(job.id, Wish::Abort).await.unwrap().unwrap();
    assert_eq!(wanted(&store, &job).await, (State::Running, Some("abort".into())), "somebody has to clean up");
    ends(&store, &job).await;
    assert_eq!(store.wish(job.id, Wish::Resume).await.unwrap(), None);
}

async fn generations_are_told_with_what_their_tables_take(place: Place) {
    let store = place.store().await;
    let parks = "update checkpoints set parked = 2 where projection = 'users' and partition in (3, 5)";
    on!(&store.database.writer, |db| sqlx::query(parks).execute(db).await.map(drop)).unwrap();
    let all = store.generations().await.unwrap();
    let told: Vec<_> = all.iter().map(|row| (row.projection.as_str(), row.is_live, row.parked)).collect();
    assert_eq!(told, [("pizzas", true, 0), ("pizzerias", true, 0), ("reactions", true, 0), ("users", true, 4)]);

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
