//! kill -9 under concurrent writers: what was answered is there, what was not is there whole or not at all.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use database::{Either, StoreUrl};
use event_log::{Partition, Recorded};
use read_store::{ReadStore, views};
use serde_json::json;
use sqlx::Row;
use test_servers::{Options, Postgres};

use crate::{
    home::Home,
    server::{Client, PASSWORD, Server, eventually},
};

const WRITERS: usize = 6;

/// What the server has answered for.
#[derive(Default)]
struct Answered {
    pizzas: Mutex<Vec<String>>,
    /// The token of each accepted command.
    tokens: Mutex<Vec<(u16, i64)>>,
    count: AtomicUsize,
}

#[tokio::test]
async fn nothing_that_was_answered_is_lost_and_nothing_is_half_done_in_files() {
    crash(&Home::in_files(), &Home::in_files(), 20).await;
}

#[tokio::test]
async fn nothing_that_was_answered_is_lost_and_nothing_is_half_done_in_postgres() {
    let Ok(cluster) = Postgres::start(Options { fsync: true, ..Options::default() }) else { return };
    crash(&Home::in_database(&cluster.new_database()), &Home::in_database(&cluster.new_database()), 10).await;
}

/// Kills Tizza in its home again and again, and looks at what is there; `anew` is for folding it once more.
async fn crash(home: &Home, anew: &Home, rounds: usize) {
    let answered = Arc::new(Answered::default());
    let first = Server::start_in(home);
    for n in 0..WRITERS {
        let owner = first.user(&format!("owner{n}")).await;
        owner.opens_pizzeria().await;
    }
    drop(first);

    for round in 0..rounds {
        let mut server = Server::start_in(home);
        let before = answered.count.load(Ordering::SeqCst);
        let writers: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(write(server.client(), n, Arc::clone(&answered)))).collect();
        // Somewhere in the middle: after another number of answers each time.
        let enough = before + 5 + round * 7;
        eventually("commands are answered", async || (answered.count.load(Ordering::SeqCst) >= enough).then_some(())).await;
        server.signal("KILL");
        server.ended();
        for writer in writers {
            writer.await.unwrap();
        }
        nobody_writes(home).await;
        the_log_is_whole(home, &answered).await;
    }

    let server = Server::start_in(home);
    let client = server.client();
    let lag = async || client.get(&format!("{}/readyz", server.admin_url)).await.body["lag_events"].clone();
    eventually("everything is folded", async || {
        lag().await.as_object().is_some_and(|lags| lags.values().all(|lag| lag == 0)).then_some(())
    })
    .await;
    drop(server);
    nobody_writes(home).await;
    let verified = home.tizza().args(["log", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    rows_are_a_fold_of_the_log(home, anew).await;
}

/// Waits until the database has noticed: it finishes the statement that a killed client had sent.
pub async fn nobody_writes(home: &Home) {
    let StoreUrl::Postgres(url) = home.url("LOG_URL") else { return };
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let sql = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'tizza'";
    let sessions = async || sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap();
    eventually("its sessions have ended", async || (sessions().await == 0).then_some(())).await;
    pool.close().await;
}

/// Creates pizzas and changes its mind about them until the server is gone.
async fn write(client: Client, n: usize, answered: Arc<Answered>) {
    let session = client.request(reqwest::Method::POST, "/api/v1/session");
    let session = session.json(&json!({ "username": format!("owner{n}"), "password": PASSWORD }));
    if client.answer(session).await.is_err() {
        return;
    }
    for turn in 0.. {
        let create = client.request(reqwest::Method::POST, "/api/v1/pizzas");
        let body = json!({ "title": format!("Pizza {turn}"), "description": "of owner" });
        let Ok(created) = client.answer(create.json(&body)).await else { return };
        let pizza = created.expect(reqwest::StatusCode::CREATED);
        answered.keep(&pizza);
        answered.pizzas.lock().unwrap().push(pizza.body["id"].as_str().unwrap().to_owned());
        for reaction in ["like", "dislike"] {
            let path = format!("/api/v1/pizzas/{}/reaction", pizza.body["id"].as_str().unwrap());
            let react = client.request(reqwest::Method::PUT, &path).json(&json!({ "reaction": reaction }));
            let Ok(reacted) = client.answer(react).await else { return };
            assert!(reacted.status.is_success(), "{reacted:?}");
            answered.keep(&reacted);
        }
    }
}

impl Answered {
    fn keep(&self, answer: &crate::server::Answer) {
        let token = answer.headers["consistency-token"].to_str().unwrap();
        let mut parts = token.split('.').skip(1).map(|part| part.parse::<i64>().unwrap());
        self.tokens.lock().unwrap().push((parts.next().unwrap() as u16, parts.next().unwrap()));
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

async fn the_log_is_whole(home: &Home, answered: &Answered) {
    let log = home.log().await;
    let mut streams: HashMap<_, Vec<Recorded>> = HashMap::new();
    for partition in Partition::all() {
        let head = log.head(partition).await.unwrap();
        let events = log.read(partition, 0, 1_000_000).await.unwrap();
        assert!(events.iter().map(|event| event.position).eq(1..=head), "gapless up to the head");
        let tokens = answered.tokens.lock().unwrap();
        assert!(
            tokens.iter().filter(|(p, _)| *p == partition.number()).all(|(_, position)| *position <= head),
            "an answered event is lost"
        );
        drop(tokens);
        for event in events {
            streams.entry(event.stream_id).or_default().push(event);
        }
    }
    for (id, events) in &streams {
        assert!(events.iter().map(|event| event.version).eq(1..=events.len() as i64), "versions of {id}");
        // A pizza is created and approved by one command: both events, or none.
        let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
        assert!(types[0] != "PizzaCreated" || types.get(1) == Some(&"PizzaApproved"), "half a command: {types:?}");
    }
    for pizza in answered.pizzas.lock().unwrap().iter() {
        assert!(streams.contains_key(&pizza.parse().unwrap()), "pizza {pizza} was answered and is lost");
    }
    log.close().await;
}

/// Folds the whole log into an empty read store and compares every table.
pub async fn rows_are_a_fold_of_the_log(home: &Home, anew: &Home) {
    let (log, live, anew) = (home.log().await, home.read_store().await, anew.read_store().await);
    let prepared = projector::prepare(&event_log::Epochs::default(), &anew).await.unwrap();
    for partition in Partition::all() {
        let mut worker = projector::Worker::new(projector::Source::Log(log.clone()), anew.clone(), partition, &prepared);
        while worker.step().await == projector::Step::Folded {}
    }
    assert_eq!(live.checkpoints().await.unwrap(), anew.checkpoints().await.unwrap());
    let rows = (dump(&live).await, dump(&anew).await);
    assert!(rows.0["reactions"].len() > 50, "the test did something");
    assert_eq!(rows.0, rows.1);
    log.close().await;
    live.close().await;
    anew.close().await;
}

/// Every row of every table, as text.
async fn dump(store: &ReadStore) -> BTreeMap<&'static str, Vec<String>> {
    let generations = store.live().await.unwrap();
    let mut tables = BTreeMap::new();
    for view in views::ALL {
        for table in view.tables {
            let name = format!("{table}_g{}", generations.generation(view).unwrap());
            let mut lines = match &store.database.reader {
                Either::Sqlite(db) => {
                    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("select * from {name}"))).fetch_all(db).await.unwrap();
                    rows.iter().map(sqlite_row).collect()
                }
                Either::Postgres(db) => {
                    let sql = format!("select t::text from {name} t");
                    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(db).await.unwrap()
                }
            };
            lines.sort_unstable();
            tables.insert(*table, lines);
        }
    }
    tables
}

fn sqlite_row(row: &sqlx::sqlite::SqliteRow) -> String {
    let value = |i| match row.try_get_unchecked::<Vec<u8>, _>(i) {
        Ok(bytes) => format!("{bytes:02x?}"),
        Err(_) => format!("{:?}", row.try_get_unchecked::<Option<String>, _>(i)),
    };
    (0..row.len()).map(value).collect::<Vec<_>>().join(" ")
}
