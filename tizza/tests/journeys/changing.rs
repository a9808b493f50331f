//! A release that has changed a projection: docs/changing-a-projection.md, walked through with two builds of the program.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use read_store::{
    View,
    jobs::{Kind, Request},
    views::PIZZAS,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Address, Client},
    home::{Home, on_both_databases},
    next,
    process::Process,
    server::{Server, eventually},
};

const PUBLIC_URL: &str = "http://tizza.test";

fn role(home: &Home, program: &Path, name: &str) -> Process {
    let mut command = home.program(program);
    command.arg(name).env("PUBLIC_URL", PUBLIC_URL);
    Process::spawn(command)
}

fn address(process: &mut Process, field: &str, message: &str) -> String {
    format!("http://{}", process.says(message)[field].as_str().unwrap())
}

fn ends(mut process: Process) {
    process.signal("TERM");
    assert_eq!(process.ended().code(), Some(0), "{:?}", process.told());
}

async fn renames(client: &Client, pizza: &str, title: &str) {
    client.answer(client.request(Method::PATCH, pizza).json(&json!({ "title": title }))).await.unwrap().expect(StatusCode::OK);
}

async fn title(client: &Client, pizza: &str) -> Value {
    client.get(pizza).await.expect(StatusCode::OK).body["title"].clone()
}

#[tokio::test]
async fn a_column_is_added_while_both_releases_answer_and_nobody_waits() {
    let Some(home) = Home::in_postgres() else { return };
    let (today, next) = (Path::new(env!("CARGO_BIN_EXE_tizza")), next::program());
    let (mut commands, mut projector) = (role(&home, today, "command-api"), role(&home, today, "projector"));
    let commands_at = address(&mut commands, "address", "command-api listens");
    projector.says("projector folds");
    let mut queries = role(&home, today, "query-api");
    let queries_at = address(&mut queries, "address", "query-api listens");
    let at = |queries: &str| Address { public: PUBLIC_URL.into(), commands: commands_at.clone(), queries: queries.into() };
    let luigi = Client::new(at(&queries_at)).signs_up("luigi").await;
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    renames(&luigi, &pizza, "Marinara").await;
    assert_eq!(title(&luigi, &pizza).await, "Marinara");

    // Somebody reads all the time.
    let (stop, read) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reading = tokio::spawn({
        let (stop, read, reader, pizza) = (stop.clone(), read.clone(), Client::new(at(&queries_at)), pizza.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                reader.get(&pizza).await.expect(StatusCode::OK);
                read.fetch_add(1, Ordering::Relaxed);
            }
        }
    });

    // First who folds, second who answers: it is ready once the new rows are there.
    let mut next_projector = role(&home, next, "projector");
    next_projector.says("projector folds");
    let mut next_queries = role(&home, next, "query-api");
    let told = next_queries.says("query-api listens");
    let [next_queries_at, admin] = ["address", "admin"].map(|field| format!("http://{}", told[field].as_str().unwrap()));
    let anybody = Client::new(at(&next_queries_at));
    let ready = async || anybody.try_get(&format!("{admin}/readyz")).await.filter(|answer| answer.status == StatusCode::OK);
    eventually("the next release is ready", ready).await;
    let seen = Client::new(at(&next_queries_at)).logs_in("luigi").await;
    assert_eq!(seen.get(&pizza).await.expect(StatusCode::OK).body["change_count"], 1);

    // Both go on: each answers from rows of its own, with all that happens.
    renames(&luigi, &pizza, "Napoli").await;
    assert_eq!(title(&luigi, &pizza).await, "Napoli");
    seen.sees(&luigi);
    assert_eq!(seen.get(&pizza).await.expect(StatusCode::OK).body["change_count"], 2);
    stop.store(true, Ordering::Relaxed);
    reading.await.unwrap();
    assert!(read.load(Ordering::Relaxed) > 0);
    [queries, projector].into_iter().for_each(ends);
    renames(&seen, &pizza, "Romana").await;
    assert_eq!(seen.get(&pizza).await.expect(StatusCode::OK).body["change_count"], 3);
    [commands, next_queries, next_projector].into_iter().for_each(ends);
}

async fn what_is_not_built_yet_is_not_answered_and_the_rest_is(home: Home) {
    let next = next::program();
    let pizza = {
        let mut tizza = Server::start_in(&home);
        let luigi = tizza.user("luigi").await;
        luigi.opens_pizzeria().await;
        let pizza = luigi.creates_pizza("Margherita").await;
        renames(&luigi, &pizza, "Marinara").await;
        assert_eq!(title(&luigi, &pizza).await, "Marinara");
        tizza.signal("TERM");
        tizza.ended();
        // The next one listens elsewhere.
        pizza[pizza.find("/api").unwrap()..].to_owned()
    };
    // It takes its time: an operator has paused it.
    let store = home.read_store().await;
    let (newer, job) = (View { version: PIZZAS.version + 1, ..PIZZAS }, Uuid::now_v7());
    assert!(store.ask_for(job, Kind::Upgrade, &newer, &Request::default()).await.unwrap());
    store.end_job(job, read_store::jobs::State::Paused, &read_store::jobs::Progress::none(), None).await.unwrap();

    let mut tizza = Server::spawn(home.program(next), &home);
    let luigi = tizza.client().logs_in("luigi").await;
    luigi.get("/api/v1/users/me").await.expect(StatusCode::OK);
    let refused = luigi.get(&pizza).await.problem(503, "unavailable");
    assert!(refused.body["detail"].as_str().unwrap().contains("the projection pizzas is being built: 0 of 0 events"), "{}", refused.body);
    renames(&luigi, &pizza, "Napoli").await;
    assert!(store.resume(job, &Request::default()).await.unwrap());
    let answers = async || Some(luigi.get(&pizza).await).filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(eventually("the pizzas are built", answers).await.body["change_count"], 2);
    store.close().await;
    tizza.signal("TERM");
    tizza.ended();
}

on_both_databases! {
    what_is_not_built_yet_is_not_answered_and_the_rest_is,
}
