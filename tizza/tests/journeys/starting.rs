//! Starting and stopping.

use std::{net::TcpListener, path::Path, process::Output};

use reqwest::StatusCode;

use crate::server::{Server, eventually, tizza};

/// Starts what must not start: one clear line, and not exit code 0.
fn refused(data_dir: &Path, settings: &[(&str, &str)]) -> String {
    let Output { status, stderr, .. } = tizza(data_dir).envs(settings.iter().copied()).output().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert!(!status.success(), "{told}");
    let first = told.lines().next().unwrap().to_owned();
    assert!(first.starts_with("error: "), "{told}");
    first
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (settings, setting) in [
        ([("HTTP_PORT", "abc")], "HTTP_PORT"),
        ([("HTTP_PORT", "65536")], "HTTP_PORT"),
        ([("HTTP_PORT", &*port)], "HTTP_PORT"),
        ([("ADMIN_PORT", &*port)], "ADMIN_PORT"),
        ([("HTTP_HOST", "203.0.113.1")], "HTTP_PORT"),
        ([("PUBLIC_URL", "tizza.example")], "PUBLIC_URL"),
        ([("LOG_URL", "mysql://x")], "LOG_URL"),
        ([("LOG_LEVEL", "a=b=c")], "LOG_LEVEL"),
        ([("CLAIM_KEY", "short")], "CLAIM_KEY"),
        ([("READ_URL", "sqlite:///proc/read.db")], "READ_URL"),
        ([("DATA_DIR", "/dev/null/data")], "DATA_DIR"),
    ] {
        let told = refused(&data, &settings);
        assert!(told.contains(setting), "{setting}: {told}");
    }
}

#[tokio::test]
async fn data_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start_in(folder.path()));
    let newer = database::migrations(&[("one", "select 1"), ("two", "create table newer (x integer) strict")]);
    for store in ["log.db", "read.db", "identity.db"] {
        let url = format!("sqlite://{}", folder.path().join(store).display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        let applied =
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (99, 'x', true, $1, 0)";
        sqlx::query(applied).bind(&newer[1].checksum[..]).execute(&pool).await.unwrap();
        pool.close().await;
        let told = refused(folder.path(), &[]);
        assert!(told.contains("newer version") && told.contains(store) && told.contains("DATA_DIR"), "{told}");
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        sqlx::query("delete from _sqlx_migrations where version = 99").execute(&pool).await.unwrap();
        pool.close().await;
    }
    Server::start_in(folder.path()).client().get("/livez").await.expect(StatusCode::OK);
}

#[test]
fn secrets_that_are_missing_beside_data_are_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start_in(folder.path()));
    std::fs::remove_file(folder.path().join("secrets/claim_key")).unwrap();
    let told = refused(folder.path(), &[]);
    assert!(told.contains("CLAIM_KEY"), "{told}");
}

#[tokio::test]
async fn a_second_start_finds_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_in(folder.path());
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    luigi.creates_pizza("Margherita").await;
    let before = luigi.get("/api/v1/pizzas").await.body["results"].to_string();
    server.signal("TERM");
    assert!(server.ended().success());

    let again = Server::start_in(folder.path());
    let client = again.client();
    let path = |text: &str| text.replace(&server.url, &again.url);
    let after = client.get("/api/v1/pizzas").await.body["results"].to_string();
    assert_eq!(after, path(&before));
    client
        .post("/api/v1/session", serde_json::json!({ "username": "luigi", "password": crate::server::PASSWORD }))
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn who_is_stopped_finishes_the_requests_in_flight() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start();
        server.user("luigi").await;
        // A query that waits for a position which never comes is in flight for as long as it may wait.
        let stranger = server.client();
        let waiting =
            stranger.request(reqwest::Method::GET, "/api/v1/pizzas").header("consistency-token", "1.0.999").header("prefer", "wait=1");
        let waiting = tokio::spawn(async move { stranger.answer(waiting).await });
        // A password takes long to compare, so these are in flight, too.
        let logging_in: Vec<_> = (0..8)
            .map(|_| {
                let client = server.client();
                let body = serde_json::json!({ "username": "luigi", "password": crate::server::PASSWORD });
                tokio::spawn(async move { client.answer(client.request(reqwest::Method::POST, "/api/v1/session").json(&body)).await })
            })
            .collect();
        let begun = || server.logged().iter().any(|line| line["route"] == "/api/v1/session");
        eventually("the first has logged in", async || begun().then_some(())).await;
        server.signal(signal);
        waiting.await.unwrap().unwrap().problem(504, "projection-behind");
        for login in logging_in {
            // Connections that the server had not accepted yet are refused; none is answered halfway.
            if let Ok(answer) = login.await.unwrap() {
                answer.expect(StatusCode::OK);
            }
        }
        assert_eq!(server.ended().code(), Some(0), "{signal}");
    }
}
