//! Many likes, straight into the log's tables: what folds read of a log, and no more. Through the log it would take minutes.

use database::StoreUrl;
use event_log::{PARTITIONS, Partition};
use events::{ReactionEvent, ReactionId, Vocabulary};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::{Connection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions, types::Json};
use uuid::Uuid;

use crate::history::{self, PIZZAS, USERS, pizza, pizzeria, user};

/// How many are written at once.
const AT_ONCE: usize = 10_000;

const SQLITE: [&str; 2] = [
    "insert into events (partition, position, event_id, stream_id, version, type, schema_version, payload, metadata, recorded_at)
     select value->>0, value->>1, unhex(value->>2, '-'), unhex(value->>3, '-'), 1, 'PizzaLiked', 1, value->>4,
         (select metadata from events limit 1), (select max(recorded_at) from heads) from json_each($1)",
    "update heads set position = $2 where partition = $1",
];
const POSTGRES: [&str; 2] = [
    "insert into events (partition, position, event_id, stream_id, version, type, schema_version, payload, metadata, recorded_at)
     select (value->>0)::int, (value->>1)::bigint, (value->>2)::uuid, (value->>3)::uuid, 1, 'PizzaLiked', 1, value->>4,
         (select metadata from events limit 1), now() from jsonb_array_elements($1)",
    "update heads set position = $2 where partition = $1",
];

/// A log of people and pizzas, and so many likes of each of the 1,000 people.
///
/// # Errors
/// The database's own.
pub async fn fill(log: &StoreUrl, keys: &StoreUrl, likes: u128) -> anyhow::Result<()> {
    history::fill_with(log, keys, 0).await?;
    eprintln!("{} likes are written to {log}", USERS * likes);
    match log {
        StoreUrl::Sqlite(path) => {
            let mut db = SqliteConnectOptions::new().filename(path).connect().await?;
            let mut heads = heads(sqlx::query_as("select partition, position from heads").fetch_all(&mut db).await?);
            let mut tx = db.begin().await?;
            for batch in batches(&mut heads, likes) {
                sqlx::query(SQLITE[0]).bind(Json(batch)).execute(&mut *tx).await?;
            }
            for (partition, position) in (0..).zip(heads) {
                sqlx::query(SQLITE[1]).bind(partition).bind(position).execute(&mut *tx).await?;
            }
            tx.commit().await?;
        }
        StoreUrl::Postgres(url) => {
            let mut db = url.parse::<PgConnectOptions>()?.options([("search_path", "tizza_log")]).connect().await?;
            let mut heads = heads(sqlx::query_as("select partition, position from heads").fetch_all(&mut db).await?);
            for batch in batches(&mut heads, likes) {
                sqlx::query(POSTGRES[0]).bind(Json(batch)).execute(&mut db).await?;
            }
            for (partition, position) in (0..).zip(heads) {
                sqlx::query(POSTGRES[1]).bind(partition).bind(position).execute(&mut db).await?;
            }
            sqlx::raw_sql("vacuum analyze events").execute(&mut db).await?;
        }
    }
    Ok(())
}

fn heads(rows: Vec<(i32, i64)>) -> [i64; PARTITIONS as usize] {
    let mut heads = [0; PARTITIONS as usize];
    rows.into_iter().for_each(|(partition, position)| heads[partition as usize] = position);
    heads
}

/// In the order in which they might have happened: everybody likes something, then something else.
fn batches(heads: &mut [i64; PARTITIONS as usize], likes: u128) -> impl Iterator<Item = Vec<Value>> {
    let partitions: Vec<_> = (0..USERS).map(|number| Partition::of(user(number).0)).collect();
    let most = likes.max(PIZZAS);
    let mut all = (0..likes).flat_map(move |number| (0..USERS).map(move |by| (by, (by * 7 + number) % most)));
    std::iter::from_fn(move || {
        let batch = all.by_ref().take(AT_ONCE).map(|(by, number)| {
            let partition = partitions[by as usize];
            heads[partition.index()] += 1;
            let event = ReactionEvent::PizzaLiked { user_id: user(by), pizza_id: pizza(number), pizzeria_id: pizzeria(number % PIZZAS) };
            let stream = ReactionId::of(user(by), pizza(number)).0;
            json!([partition.number(), heads[partition.index()], Uuid::now_v7(), stream, event.encode()])
        });
        let batch: Vec<_> = batch.collect();
        (!batch.is_empty()).then_some(batch)
    })
}
