//! Postgres goes away while Tizza runs, and comes back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use reqwest::{Method, StatusCode};
use serde_json::json;
use test_servers::{Options, Postgres};

use crate::{
    client::{Client, eventually},
    home::Home,
    server::Server,
};

const ROUNDS: usize = 3;
const WRITERS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_away_clients_are_told_so_and_when_it_is_back_nothing_that_was_answered_is_lost() {
    let Ok(mut cluster) = Postgres::start(Options { fsync: true, ..Options::default() }) else { return };
    let home = Home::in_database(&cluster.new_database());
    let mut server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    let (created, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..WRITERS).map(|_| tokio::spawn(write(luigi.clone(), Arc::clone(&created), Arc::clone(&enough)))).collect();

    for _ in 0..ROUNDS {
        let some = created.load(Ordering::SeqCst) + 20;
        eventually("pizzas are created", async || (created.load(Ordering::SeqCst) >= some).then_some(())).await;
        cluster.stop();
        let is = async |path: &str, status| (server.client().get(path).await.status == status).then_some(());
        let ready = format!("{}/readyz", server.admin_url);
        let (away, back) = (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK);
        eventually("queries say that it is away", async || is("/api/v1/pizzas", away).await).await;
        eventually("so do operators' questions", async || is(&ready, away).await).await;
        let asked = home.asks_ready(&["--url", &server.admin_url, "--timeout", "30"]);
        assert_eq!((asked.status.code(), asked.stdout.first()), (Some(1), Some(&b'{')), "so does a health check");
        let is_unknown = async || server.metrics().await.sum("tizza_parked_events", &[]).is_nan().then_some(());
        eventually("what is measured without it is told all the same", is_unknown).await;
        is("/livez", back).await.expect("the program itself is there");
        cluster.restart();
        eventually("queries are answered again", async || is("/api/v1/pizzas", back).await).await;
        eventually("and operators", async || is(&ready, back).await).await;
    }
    enough.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    let count = luigi.get("/api/v1/pizzas").await.expect(StatusCode::OK).body["count"].as_u64().unwrap();
    let answered = created.load(Ordering::SeqCst) as u64;
    // Of those that were answered 503 some were written: nobody knows before the database is back.
    assert!(count >= answered && answered >= 20 * ROUNDS as u64, "{answered} of {count}");
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
}

/// Creates pizzas until it is told that it is enough; each is created, or the client is told to come back.
async fn write(luigi: Client, created: Arc<AtomicUsize>, enough: Arc<AtomicBool>) {
    while !enough.load(Ordering::SeqCst) {
        let body = json!({ "title": "Margherita", "description": "Tomato" });
        let answer = luigi.answer(luigi.request(Method::POST, "/api/v1/pizzas").json(&body)).await.unwrap();
        if answer.status == StatusCode::CREATED {
            created.fetch_add(1, Ordering::SeqCst);
        } else {
            answer.problem(503, "unavailable");
        }
    }
}
