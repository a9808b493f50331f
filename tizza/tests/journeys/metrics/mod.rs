//! What operators see: `/metrics` of every service, and the dashboard and the alert rules that are made of it.

mod rules;
mod scraped;

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};
use service_kit::metrics::TABLE;
use test_servers::Kafka;

use self::scraped::Scraped;
use crate::{
    client::{Address, Client, eventually},
    home::Home,
    process::Process,
    server::Server,
    topic::through,
};

const LIKE: [(&str, &str); 3] = [("method", "PUT"), ("route", "/api/v1/pizzas/{id}/reaction"), ("status", "201")];

impl Server {
    /// What its admin listener tells Prometheus.
    pub async fn metrics(&self) -> Scraped {
        Scraped::of(&self.client(), &self.admin_url).await
    }
}

#[tokio::test]
async fn every_metric_is_exported_and_moves_with_what_it_measures() {
    let Ok(mut broker) = Kafka::start() else { return };
    let home = through(&Home::in_files(), &broker.bootstrap());
    let server = Server::start_in(&home);
    assert_eq!(server.metrics().await.value("tizza_append_commands_total", &[("outcome", "appended")]), 0.0, "before the first");
    let (luigi, ada) = (server.user("luigi").await, server.user("ada").await);
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    ada.get("/nowhere/at/all").await.expect(StatusCode::NOT_FOUND);
    ada.sees(&luigi);
    ada.get(&pizza).await.expect(StatusCode::OK);

    let is_calm = async || {
        let metrics = server.metrics().await;
        let lag = metrics.sum("tizza_projection_lag_events", &[]) + metrics.value("tizza_relay_backlog_events", &[]);
        let connected = metrics.sum("tizza_kafka_connected", &[]);
        (lag == 0.0 && connected == 2.0 && metrics.value("tizza_relay_records_total", &[]) == 6.0).then_some(metrics)
    };
    let metrics = eventually("all is relayed and folded", is_calm).await;
    metrics.are(TABLE);
    assert_eq!(metrics.value("tizza_http_requests_total", &LIKE), 1.0);
    assert_eq!(metrics.value("tizza_http_requests_total", &[("method", "GET"), ("route", "none"), ("status", "404")]), 1.0);
    assert_eq!(metrics.value("tizza_http_request_duration_seconds_count", &LIKE[..2]), 1.0);
    let commands = metrics.value("tizza_append_commands_total", &[("outcome", "appended")]);
    assert_eq!(commands, 5.0);
    assert_eq!(metrics.value("tizza_append_batch_size_sum", &[]), commands);
    assert_eq!(metrics.value("tizza_append_batches_total", &[]), metrics.value("tizza_append_duration_seconds_count", &[]));
    for projection in ["users", "pizzerias", "pizzas", "reactions"] {
        assert_eq!(metrics.value("tizza_projection_events_total", &[("projection", projection)]), 6.0);
    }
    assert_eq!(metrics.value("tizza_kafka_partitions", &[]), 16.0);
    assert!(metrics.value("tizza_cache_requests_total", &[("cache", "streams"), ("result", "hit")]) > 0.0);

    luigi.delete("/api/v1/users/me").await.expect(StatusCode::ACCEPTED);
    eventually("policies have done theirs", async || {
        let done = server.metrics().await.sum("tizza_policy_attempts_total", &[("outcome", "done")]);
        (done == 3.0).then_some(())
    })
    .await;

    eventually("that is relayed, too", async || (server.metrics().await.value("tizza_relay_records_total", &[]) == 9.0).then_some(()))
        .await;
    broker.stop();
    ada.post("/api/v1/pizzerias", serde_json::json!({ "name": "Da Ada", "address": "Via Po 2", "phone": "+39 081 2" }))
        .await
        .expect(StatusCode::CREATED);
    eventually("the broker is missed", async || {
        let metrics = server.metrics().await;
        let waits = metrics.value("tizza_relay_backlog_events", &[]) == 1.0 && metrics.value("tizza_relay_backlog_seconds", &[]) > 1.0;
        (waits && metrics.sum("tizza_kafka_connected", &[]) == 0.0).then_some(())
    })
    .await;
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("tizza_projection_lag_events", &[]), 4.0, "the rows wait for the topic");
    assert!(metrics.sum("tizza_projection_lag_seconds", &[]) > 4.0);
}

#[tokio::test]
async fn each_role_tells_what_it_knows() {
    let home = Home::in_files();
    for (role, listens, knows) in [
        ("command-api", "command-api listens", ["tizza_append_queue", "tizza_parked_events", "tizza_policy_attempts_total"]),
        ("projector", "projector folds", ["tizza_projection_lag_events", "tizza_projection_stopped", "tizza_parked_events"]),
        ("query-api", "query-api listens", ["tizza_cache_requests_total"; 3]),
    ] {
        let mut command = home.tizza();
        command.arg(role).env("PUBLIC_URL", "http://tizza.test");
        let mut process = Process::spawn(command);
        let admin = format!("http://{}", process.says(listens)["admin"].as_str().unwrap());
        let metrics = Scraped::of(&Client::new(Address::one(&admin)), &admin).await;
        assert_eq!(metrics.value("tizza_build_info", &[("version", env!("CARGO_PKG_VERSION")), ("role", role)]), 1.0);
        knows.iter().for_each(|name| assert!(metrics.has(name), "{role} does not tell {name}"));
        assert_eq!(metrics.has("tizza_projection_lag_events"), role == "projector");
        assert!(!metrics.has("tizza_relay_backlog_events"), "there is no broker");
        process.signal("TERM");
        assert_eq!(process.ended().code(), Some(0));
    }
}

#[tokio::test]
async fn the_admin_listener_is_where_it_is_told_to_be() {
    let server = Server::start_in(&Home::in_files().with("ADMIN_HOST", Path::new("127.0.0.2")));
    assert!(server.admin_url.starts_with("http://127.0.0.2:"), "{}", server.admin_url);
    assert_eq!(server.metrics().await.value("tizza_build_info", &[("role", "all-in-one"), ("version", env!("CARGO_PKG_VERSION"))]), 1.0);
}

#[tokio::test]
async fn a_projection_that_cannot_go_on_is_told_with_its_partition_until_it_can() {
    let home = Home::in_files();
    ada_signs_up(&home).await;
    home.execute("LOG_URL", "update events set schema_version = schema_version + 100").await;
    let (_projector, told) = started(&home, "projector", "projector folds");
    let admin = format!("http://{}", told["admin"].as_str().unwrap());
    let client = Client::new(Address::one(&admin));
    let stopped = async |how_many: f64| {
        let metrics = Scraped::of(&client, &admin).await;
        let (all, users) = ("tizza_projection_stopped", [("projection", "users")]);
        (metrics.sum(all, &[]) == how_many && metrics.sum(all, &users) == how_many).then_some(metrics)
    };
    let metrics = eventually("users stand still in one partition", async || stopped(1.0).await).await;
    assert_eq!(metrics.sum("tizza_projection_lag_events", &[("projection", "users")]), 1.0);
    home.execute("LOG_URL", "update events set schema_version = schema_version - 100").await;
    eventually("they go on", async || stopped(0.0).await).await;
}

#[tokio::test]
async fn what_is_parked_is_told_by_the_projection_that_could_not_fold_it() {
    let home = Home::in_files();
    ada_signs_up(&home).await;
    home.execute("LOG_URL", "update events set payload = '{}' where type = 'UserSignedUp'").await;
    let (_projector, told) = started(&home, "projector", "projector folds");
    let admin = format!("http://{}", told["admin"].as_str().unwrap());
    let client = Client::new(Address::one(&admin));
    let parked = async || {
        let metrics = Scraped::of(&client, &admin).await;
        // The views are built one after the other.
        let folded = metrics.sum("tizza_projection_lag_events", &[]) == 0.0;
        (metrics.sum("tizza_parked_events", &[]) > 0.0 && folded).then_some(metrics)
    };
    let metrics = eventually("an event is parked, and all else is folded", parked).await;
    let by = |projection| metrics.value("tizza_parked_events", &[("by", projection)]);
    assert_eq!((by("users"), by("reactions"), metrics.sum("tizza_projection_lag_events", &[])), (1.0, 0.0, 0.0));
    let ready = client.get(&format!("{admin}/readyz")).await.expect(StatusCode::OK).body;
    assert_eq!((&ready["status"], &ready["parked_events"]), (&json!("degraded"), &json!({"users": 1})));
}

async fn ada_signs_up(home: &Home) {
    let (_commands, told) = started(home, "command-api", "command-api listens");
    let ada = Client::new(Address::one(&format!("http://{}", told["address"].as_str().unwrap())));
    ada.signs_up("ada").await;
}

/// A role of its own, and what it says once it is there.
fn started(home: &Home, role: &str, listens: &str) -> (Process, Value) {
    let mut command = home.tizza();
    command.arg(role).env("PUBLIC_URL", "http://tizza.test");
    let mut process = Process::spawn(command);
    let told = process.says(listens);
    (process, told)
}
