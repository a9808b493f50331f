//! `tizza move`: an embedded user grows up, and comes back.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use database::{Store, StoreUrl, moving::table::Table};
use event_log::{KEYS, LOG};
use reqwest::StatusCode;
use serde_json::json;
use service_kit::identity::IDENTITY;
use sqlx::{Connection, Executor, PgConnection, PgPool};

use crate::{
    client::Address,
    home::{Home, on_both_databases},
    process::Process,
    server::{Client, PASSWORD, Server, eventually},
    starting::refused,
};

on_both_databases!(all_that_a_store_keeps_is_moved, a_move_that_was_begun_is_given_up);

/// Of a home in a database its URL, of one in files its folder.
fn place(home: &Home) -> String {
    match home.url("LOG_URL") {
        StoreUrl::Sqlite(path) => path.parent().unwrap().display().to_string(),
        StoreUrl::Postgres(url) => url,
    }
}

/// `tizza move`, with the secrets of the first home, which both are used with.
fn moving(secrets: &Home, from: &str, to: &str) -> Command {
    let mut command = secrets.tizza();
    command.args(["move", "--from", from, "--to", to]);
    command
}

fn moved(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("events, "), "it was verified: {output:?}");
    told
}

fn lines(home: &Home) -> String {
    let export = home.tizza().args(["log", "export"]).output().unwrap();
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    String::from_utf8(export.stdout).unwrap()
}

/// What somebody has before the move, and must have after it.
struct Before {
    ada: Client,
    pizza: String,
    token: String,
    events: String,
}

/// Somebody who is deleted, an owner, and one who likes their pizza; then Tizza stops.
async fn lives(home: &Home) -> Before {
    let mut server = Server::start_in(home);
    let (luigi, ada, bob) = (server.user("luigi").await, server.user("ada").await, server.user("bob").await);
    luigi.opens_pizzeria().await;
    let pizza = luigi.post("/api/v1/pizzas", json!({ "title": "Back \\ slash", "description": "Tab\t and ünï" })).await;
    let pizza = format!("/api/v1/pizzas/{}", pizza.expect(StatusCode::CREATED).body["id"].as_str().unwrap());
    let liked = ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    let token = liked.headers["consistency-token"].to_str().unwrap().to_owned();
    bob.post("/api/v1/users/me/deletion", json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);

    let busy = moving(home, &place(home), "/nowhere").output().unwrap();
    assert!(!busy.status.success() && String::from_utf8_lossy(&busy.stderr).contains("READ_ONLY=true"), "{busy:?}");
    server.signal("TERM");
    server.ended();
    Before { ada, pizza, token, events: lines(home) }
}

/// Whether all is there, and life goes on.
async fn lives_on(before: &Before, home: &Home, url: &str, reaction: &str) {
    assert_eq!(lines(home), before.events, "epochs, positions and events are what they were");
    let ada = before.ada.moved_to(url);
    assert_eq!(ada.get("/api/v1/session").await.expect(StatusCode::OK).body["username"], "ada");
    let read = ada.request(reqwest::Method::GET, &before.pizza).header("Consistency-Token", &before.token);
    let pizza = ada.answer(read.header("prefer", "wait=20")).await.unwrap().expect(StatusCode::OK).body;
    assert_eq!((&pizza["title"], &pizza["description"]), (&json!("Back \\ slash"), &json!("Tab\t and ünï")));
    Client::new(Address::one(url)).logs_in("luigi").await.opens_pizzeria().await;
    let bob = json!({ "username": "bob", "password": PASSWORD });
    ada.post("/api/v1/session", bob).await.expect(StatusCode::UNAUTHORIZED);
    let taken = json!({ "username": "luigi", "password": PASSWORD });
    ada.post("/api/v1/users", taken).await.expect(StatusCode::CONFLICT);
    ada.reacts(&before.pizza, reaction).await.expect(StatusCode::OK);
    let verified = home.tizza().args(["log", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[tokio::test]
async fn who_grows_up_goes_on_in_postgres_and_comes_back() {
    let Ok(url) = test_servers::shared_database() else { return };
    let home = Home::in_files();
    let before = lives(&home).await;
    let there = home.moved(&url);
    assert!(there.tizza().arg("migrate").output().unwrap().status.success(), "there may be tables already");

    // It is killed in the middle, where it waits for somebody who has a table to himself.
    let pool = PgPool::connect(&url).await.unwrap();
    let held = hold(&pool).await;
    let mut process = Process::spawn(moving(&home, &place(&home), &url));
    let sql = "select count(*) from pg_locks where relation = 'tizza_keys.data_keys'::regclass and not granted";
    eventually("it waits", async || (sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap() > 0).then_some(())).await;
    process.signal("KILL");
    process.ended();

    let again = refused(home.tizza());
    assert!(again.contains("is being moved to") && !again.contains("trust:"), "commands are not taken any more here: {again}");
    let early = there.tizza().args(["log", "export"]).output().unwrap();
    assert!(!early.status.success() && String::from_utf8_lossy(&early.stderr).contains("not whole yet"), "{early:?}");
    let elsewhere = moving(&home, &place(&home), "/tmp/tizza-elsewhere-that-is-not-made").output().unwrap();
    assert!(!elsewhere.status.success() && String::from_utf8_lossy(&elsewhere.stderr).contains("on its way there"), "{elsewhere:?}");

    // Who begins to serve there meanwhile waits.
    let (mut serving, url_there) = (there.tizza(), free_url());
    serving.env("HTTP_PORT", url_there.rsplit_once(':').unwrap().1);
    let mut serving = Process::spawn(serving);
    let waiting = eventually("it answers", async || before.ada.try_get(&format!("{url_there}/api/v1/pizzas")).await).await;
    assert!(waiting.headers.contains_key("retry-after"));
    waiting.problem(503, "unavailable");
    assert_eq!(before.ada.try_get(&format!("{url_there}/livez")).await.unwrap().status, StatusCode::OK);

    held.close().await.unwrap();
    let told = moved(&moving(&home, &place(&home), &url).output().unwrap());
    assert!(told.contains("are there already"), "it goes on: {told}");
    serving.says("tizza listens");
    lives_on(&before, &there, &url_there, "dislike").await;
    assert!(refused(home.tizza()).contains("was moved to"));
    serving.signal("TERM");
    serving.ended();

    let back = Home::in_files().with("CLAIM_KEY_FILE", &secret(&home, "claim_key"));
    let back = back
        .with("COOKIE_KEYS_FILE", &secret(&home, "cookie_keys"))
        .with("KEY_ENCRYPTION_KEYS_FILE", &secret(&home, "key_encryption_keys"));
    let before = Before { events: lines(&there), ..before };
    moved(&moving(&home, &url, &place(&back)).output().unwrap());
    let server = Server::start_in(&back);
    lives_on(&before, &back, &server.url, "like").await;
}

fn secret(home: &Home, name: &str) -> std::path::PathBuf {
    home.data_dir().join("secrets").join(name)
}

/// A transaction that has the keys to itself.
async fn hold(pool: &PgPool) -> PgConnection {
    let mut connection = pool.acquire().await.unwrap().detach();
    connection.execute("begin; lock table tizza_keys.data_keys in exclusive mode").await.unwrap();
    connection
}

fn free_url() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

async fn a_move_that_was_begun_is_given_up(home: Home) {
    let other = home.another_kind();
    let Some(other) = other else { return };
    let before = lives(&home).await;
    let to = place(&other);
    // What is there already, and another one's, is neither overwritten nor added to.
    let occupied = Server::start_in(&other);
    occupied.user("other").await;
    drop(occupied);
    let stranger = lines(&other);
    let told = refused(moving(&home, &place(&home), &to));
    assert!(told.contains("is not empty: there are events already"), "{told}");
    assert_eq!(lines(&other), stranger);
    let told = refused(moving(&other, &place(&home), &to));
    assert!(told.contains("CLAIM_KEY: "), "{told}");

    // Damage: what is not whole is moved, but nobody is let in.
    home.execute("LOG_URL", "delete from claims").await;
    let empty = home.another_kind().unwrap();
    let output = moving(&home, &place(&home), &place(&empty)).output().unwrap();
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stdout).contains("has taken a name that is not kept"),
        "{output:?}"
    );
    let mut early = empty.tizza();
    early.args(["log", "show", "00000000-0000-4000-8000-000000000000"]);
    assert!(refused(early).contains("not whole yet"));

    let abandon = || moving(&home, &place(&home), &place(&empty)).arg("--abandon").output().unwrap();
    assert!(abandon().status.success());
    let again = abandon();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("not being moved"), "{again:?}");
    let server = Server::start_in(&home);
    before.ada.moved_to(&server.url).reacts(&before.pizza, "dislike").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_be_moved_is_named() {
    let home = Home::in_files();
    let here = place(&home);
    let nowhere = refused(moving(&home, "/nowhere", "postgres://ada:topsecret@127.0.0.1/tizza"));
    assert!(!nowhere.contains("topsecret"), "{nowhere}");
    drop(Server::start_in(&home));
    for (from, to, told) in [
        ("/nowhere", "postgres://ada:topsecret@127.0.0.1/tizza", "--from: sqlite:///nowhere/log.db: there is no store"),
        (&*here, &*here, "--to: "),
        (&here, "mysql://ada:topsecret@127.0.0.1/tizza", "--to: unknown scheme"),
        (&here, "postgres://ada:topsecret@127.0.0.1", "--to: the database is missing"),
        (&here, "sqlite:///new/log.db", "--to: expected a folder"),
        (&format!("{here}/log.db"), "/new", "--from: expected a folder"),
        (&here, "/dev/null/x", "--to: "),
    ] {
        let error = refused(moving(&home, from, to));
        assert!(error.starts_with("error: ") && error.contains(told) && !error.contains("topsecret"), "{from} to {to}: {error}");
    }
    assert!(!Path::new("/new").exists());
    home.execute("LOG_URL", "update _sqlx_migrations set version = 99 where version = 1").await;
    let newer = refused(moving(&home, &here, "/new"));
    assert!(newer.contains("newer version"), "{newer}");
}

/// Whoever adds a table or a column is told here that it must come along.
async fn all_that_a_store_keeps_is_moved(home: Home) {
    assert!(home.tizza().arg("migrate").output().unwrap().status.success());
    for (setting, Store { tables, schema, .. }) in [("LOG_URL", &LOG), ("KEYS_URL", &KEYS), ("IDENTITY_URL", &IDENTITY)] {
        let column = |table: &Table, name: &str| format!("{}.{name}", table.name);
        let listed: BTreeSet<String> =
            tables.iter().flat_map(|table| table.columns.iter().map(move |(name, _)| column(table, name))).collect();
        let mut kept: BTreeSet<String> = columns(&home.url(setting), schema).await.into_iter().collect();
        kept.retain(|column| !column.starts_with("_sqlx") && !column.starts_with("leases."));
        assert_eq!(listed, kept, "{setting}");
    }
}

async fn columns(url: &StoreUrl, schema: &str) -> Vec<String> {
    match url {
        StoreUrl::Sqlite(path) => {
            let db = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(path)).await.unwrap();
            let sql = "select t.name || '.' || c.name from sqlite_master t, pragma_table_info(t.name) c where t.type = 'table'";
            sqlx::query_scalar(sql).fetch_all(&db).await.unwrap()
        }
        StoreUrl::Postgres(url) => {
            let sql = "select table_name || '.' || column_name from information_schema.columns where table_schema = $1";
            sqlx::query_scalar(sql).bind(schema).fetch_all(&PgPool::connect(url).await.unwrap()).await.unwrap()
        }
    }
}
