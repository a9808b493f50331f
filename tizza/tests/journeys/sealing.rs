//! What is personal is sealed wherever it is kept for long: in the log, beside its keys and beside the sessions.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use database::StoreUrl;
use event_log::{KeyStore, Keys};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_kit::secrets::Secrets;
use test_servers::{Options, Postgres};
use uuid::Uuid;

use crate::{
    client::{Client, PASSWORD, eventually},
    home::{Home, PATIENCE, STORES},
    server::Server,
};

/// Nobody and nothing else is called so.
const PERSONAL: [&str; 7] = [
    "quibblewhisk",
    "wobblegong.example",
    "Fnordimandius",
    "Crumpetsworth",
    "Snickerdoodle Lane 4711",
    "+39 0815 4711 0815",
    "gobbledyspam",
];

#[tokio::test]
async fn nothing_personal_is_in_the_files_of_log_keys_and_sessions() {
    let home = Home::in_files();
    let server = Server::start_in(&home);
    let somebody = lives(&server).await;
    let files = |except: &str| {
        let all = std::fs::read_dir(home.data_dir()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        all.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with(except)).collect::<Vec<_>>()
    };
    let kept: Vec<PathBuf> = files("read.db");
    assert!(kept.len() >= 6, "three stores, each with what it has not moved into its file yet: {kept:?}");
    nothing_personal(&kept);
    assert!(!found(PERSONAL[0], &[home.data_dir()]).is_empty(), "it would be found: it is in the read store");
    is_shredded_when_deleted(&home, &somebody).await;
    drop(server);
    nothing_personal(&files("read.db"));
}

#[tokio::test]
async fn nothing_personal_is_in_postgres_but_for_the_read_store() {
    let Ok(cluster) = Postgres::start(Options { fsync: true, ..Options::default() }) else { return };
    let home = Home::in_database(&cluster.new_database()).with_file("READ_URL");
    let server = Server::start_in(&home);
    let somebody = lives(&server).await;
    is_shredded_when_deleted(&home, &somebody).await;
    drop(server);

    let StoreUrl::Postgres(url) = home.url("LOG_URL") else { unreachable!() };
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let schemas: Vec<_> = STORES.iter().map(|(_, schema, _)| (*schema).to_owned()).collect();
    let sql = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = any ($1)";
    let tables: Vec<String> = sqlx::query_scalar(sql).bind(schemas).fetch_all(&pool).await.unwrap();
    assert!(tables.len() > 10);
    for table in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select t::text from {table} t"))).fetch_all(&pool).await.unwrap();
        let all = rows.join("\n").to_lowercase();
        assert!(PERSONAL.iter().all(|text| !all.contains(&text.to_lowercase())), "{table}: {all}");
    }
    // Into the files, beside the write-ahead log.
    sqlx::query("checkpoint").execute(&pool).await.unwrap();
    pool.close().await;
    let folder = cluster.data_dir();
    assert!(!found("PizzeriaOpened", &[folder.join("base")]).is_empty(), "it would be found");
    nothing_personal(&[folder.parent().unwrap().to_owned()]);
}

/// Somebody has an account with all that it may hold, opens a pizzeria and is suspended for a while.
async fn lives(server: &Server) -> Client {
    let [username, domain, first_name, last_name, address, phone, reason] = PERSONAL;
    let somebody = server.client();
    let email = format!("me@{domain}");
    let account = json!({ "username": username, "password": PASSWORD, "email": email, "first_name": first_name });
    let id = somebody.post("/api/v1/users", account).await.expect(StatusCode::CREATED).body["id"].clone();
    let named = somebody.request(Method::PATCH, "/api/v1/users/me").json(&json!({ "last_name": last_name }));
    somebody.answer(named).await.unwrap().expect(StatusCode::OK);
    somebody.post("/api/v1/pizzerias", json!({ "name": "x", "address": address, "phone": phone })).await.expect(StatusCode::CREATED);
    let root = server.superuser("root").await;
    let suspension = format!("/api/v1/users/{}/suspension", id.as_str().unwrap());
    root.put(&suspension, json!({ "reason": reason })).await.expect(StatusCode::NO_CONTENT);
    root.delete(&suspension).await.expect(StatusCode::NO_CONTENT);
    let somebody = somebody.logs_in(username).await;
    somebody.sees(&root);
    assert_eq!(somebody.get("/api/v1/users/me").await.expect(StatusCode::OK).body["email"], json!(email));
    somebody
}

/// The log shows who somebody is until they are deleted, and never again.
async fn is_shredded_when_deleted(home: &Home, somebody: &Client) {
    let id = somebody.get("/api/v1/users/me").await.body["id"].as_str().unwrap().to_owned();
    let shown = || {
        let shown = home.tizza().args(["log", "show", &id, "--json", "--reveal"]).output().unwrap();
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        String::from_utf8(shown.stdout).unwrap()
    };
    let text = shown();
    assert!(PERSONAL[..4].iter().chain([&PERSONAL[6]]).all(|personal| text.contains(personal)), "{text}");
    assert!(has_key(home, &id).await);

    somebody.post("/api/v1/users/me/deletion", json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    eventually("the key is destroyed", async || (!has_key(home, &id).await).then_some(())).await;
    if let StoreUrl::Sqlite(_) = home.url("KEYS_URL") {
        assert!(std::fs::read_to_string(home.data_dir().join("erasures")).unwrap().contains(&id), "it is on the list");
    }
    let text = shown();
    assert!(PERSONAL.iter().all(|personal| !text.contains(personal)), "{text}");
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["payload"]["username"], json!({ "$shredded": true }));
    assert_eq!(events.last().unwrap()["type"], "UserDeleted");
}

async fn has_key(home: &Home, subject: &str) -> bool {
    let ring = Secrets::new(&home.data_dir(), false).key_encryption_keys().unwrap();
    let keys = Keys::new(KeyStore::open(&home.url("KEYS_URL"), PATIENCE).await.unwrap(), &ring);
    let key = keys.find(subject.parse::<Uuid>().unwrap()).await.unwrap();
    keys.close().await;
    key.is_some()
}

/// In which files of these and of the folders among them a text is, in upper or lower case.
fn found(text: &str, places: &[impl AsRef<Path>]) -> Vec<String> {
    let places = places.iter().map(|place| place.as_ref());
    let output = Command::new("grep").args(["-rlaiF", "-e", text, "--"]).args(places).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

fn nothing_personal(places: &[PathBuf]) {
    for text in PERSONAL {
        assert_eq!(found(text, places), Vec::<String>::new(), "{text}");
    }
}
