//! The drill: a backup is made under load, the machine is lost, the backup is restored elsewhere, and life goes on.

use std::{
    collections::HashMap,
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use database::StoreUrl;
use reqwest::StatusCode;
use serde_json::{Value, json};
use test_servers::{Options, Postgres};

use crate::{
    home::Home,
    server::{Client, PASSWORD, Server, eventually},
};

#[tokio::test]
async fn who_loses_the_machine_goes_on_from_the_backup_in_files() {
    let (home, anew) = (Home::in_files(), Home::in_files());
    let backup = home.data_dir().with_file_name("backup");
    let copy = |home: &Home| {
        let made = home.tizza().args(["backup", "--to"]).arg(&backup).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let again = home.tizza().args(["backup", "--to"]).arg(&backup).output().unwrap();
        assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is there already"));
    };
    let restore = |home: &Home, anew: &Home| {
        for file in ["log.db", "keys.db", "identity.db"] {
            fs::copy(backup.join(file), anew.data_dir().join(file)).unwrap();
        }
        for file in fs::read_dir(home.data_dir()).unwrap().map(|file| file.unwrap().file_name()) {
            if file.to_str().unwrap().starts_with("read.db") {
                fs::copy(home.data_dir().join(&file), anew.data_dir().join(&file)).unwrap();
            }
        }
    };
    drill(home.clone(), anew, copy, restore).await;
}

#[tokio::test]
async fn who_loses_the_machine_goes_on_from_the_backup_in_postgres() {
    let Ok(cluster) = Postgres::start(Options::default()) else { return };
    let [home, anew] = [(); 2].map(|()| Home::in_database(&cluster.new_database()));
    let postgres = |program: &str, home: &Home| {
        let StoreUrl::Postgres(url) = home.url("LOG_URL") else { unreachable!() };
        let mut command = Command::new(cluster.bin().join(program));
        command.arg("--dbname").arg(url);
        command
    };
    let folder = tempfile::tempdir().unwrap();
    let dump = |home: &Home, schemas: &[&str], name: &str| {
        let mut command = postgres("pg_dump", home);
        command.arg("--format=custom").arg("--file").arg(folder.path().join(name));
        run(command.args(schemas.iter().map(|schema| format!("--schema={schema}"))));
    };
    let copy = |home: &Home| {
        dump(home, &["tizza_log", "tizza_keys", "tizza_identity"], "backup");
        let nowhere = folder.path().join("nowhere");
        let made = home.tizza().args(["backup", "--to"]).arg(&nowhere).output().unwrap();
        assert!(!made.status.success() && String::from_utf8_lossy(&made.stderr).contains("pg_dump"));
        assert!(!nowhere.exists(), "nothing is left behind");
    };
    let restore = |home: &Home, anew: &Home| {
        dump(home, &["tizza_read"], "read");
        for name in ["backup", "read"] {
            run(postgres("pg_restore", anew).arg(folder.path().join(name)));
        }
    };
    drill(home, anew, copy, restore).await;
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Before and after: an owner, and what they have made.
struct Life {
    owner: Client,
    pizza: Value,
    token: String,
}

/// `copy` makes the backup, `restore` brings it to another home together with the read store as it was at the end, which nobody needs to save.
async fn drill(home: Home, anew: Home, copy: impl Fn(&Home), restore: impl Fn(&Home, &Home)) {
    // Outside of what is saved and of what is lost.
    let safe = tempfile::tempdir().unwrap();
    let [home, anew] = [home, anew].map(|home| home.with("ERASURES_FILE", &safe.path().join("erasures")));
    let server = Server::start_in(&home);
    let (before, mallory) = (lives(&server, "before").await, server.user("mallory").await);
    let id = mallory.get("/api/v1/users/me").await.body["id"].as_str().unwrap().to_owned();
    let (stop, writers) = (Arc::new(AtomicBool::new(false)), server.user("writer").await);
    writers.opens_pizzeria().await;
    let writing = tokio::spawn({
        let stop = stop.clone();
        async move {
            while !stop.load(SeqCst) {
                writers.creates_pizza("One of many").await;
            }
        }
    });
    copy(&home);
    let after = lives(&server, "after").await;
    mallory.post("/api/v1/users/me/deletion", json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    stop.store(true, SeqCst);
    writing.await.unwrap();
    after.owner.get(&after.path()).await.expect(StatusCode::OK);
    let lost = export(&home);
    server.signal("KILL");
    drop(server);

    fs::create_dir_all(anew.data_dir().join("secrets")).unwrap();
    for file in ["claim_key", "cookie_keys", "key_encryption_keys"].map(|name| format!("secrets/{name}")).iter().map(String::as_str) {
        fs::copy(home.data_dir().join(file), anew.data_dir().join(file)).unwrap();
    }
    restore(&home, &anew);
    let begun = anew.tizza().args(["log", "new-epoch"]).output().unwrap();
    let told = String::from_utf8_lossy(&begun.stdout);
    assert!(begun.status.success() && told.starts_with("epoch 1") && told.contains("view pizzas: ahead"), "{begun:?}");
    assert!(told.contains(&format!("user {id}: erased after the backup, deleted again")), "{told}");
    let server = Server::start_in(&anew);
    let (owner, stranger) = (server.client().logs_in("before").await, server.client());

    // What the backup has is there, what it does not have is not, whatever the read store had seen.
    eventually("it is folded anew", async || {
        let pizza = stranger.get(&before.path()).await;
        (pizza.status == StatusCode::OK).then(|| assert_eq!(pizza.body["title"], before.pizza["title"]))
    })
    .await;
    stranger.get(&after.path()).await.expect(StatusCode::NOT_FOUND);
    stranger.post("/api/v1/session", json!({ "username": "after", "password": PASSWORD })).await.expect(StatusCode::UNAUTHORIZED);
    stranger.post("/api/v1/session", json!({ "username": "mallory", "password": PASSWORD })).await.expect(StatusCode::UNAUTHORIZED);
    mallory.moved_to(&server.url).get("/api/v1/session").await.expect(StatusCode::UNAUTHORIZED);
    for life in [&before, &after] {
        let asked = stranger.request(reqwest::Method::GET, "/api/v1/pizzas").header("Consistency-Token", &life.token);
        stranger.answer(asked).await.unwrap().problem(409, "epoch-changed");
    }

    // Life goes on, with tokens of its own.
    let pizza = owner.creates_pizza("After the restore").await;
    owner.reacts(&pizza, "like").await;
    assert_eq!(owner.get(&pizza).await.expect(StatusCode::OK).body["like_count"], 1);
    lives(&server, "after").await;

    let verified = anew.tizza().args(["log", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let shown = anew.tizza().args(["log", "show", &id, "--reveal", "--json"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("$shredded") && !shown.contains("mallory"), "who was erased stays so: {shown}");
    let found = export(&anew);
    let same = lost.iter().filter(|(place, _)| found.contains_key(*place)).collect::<Vec<_>>();
    assert!(!same.is_empty() && same.len() < lost.len(), "{} of {}", same.len(), lost.len());
    assert!(same.iter().all(|(place, event_id)| found[*place] == **event_id), "no place has two events");
}

impl Life {
    fn path(&self) -> String {
        format!("/api/v1/pizzas/{}", self.pizza["id"].as_str().unwrap())
    }
}

async fn lives(server: &Server, name: &str) -> Life {
    let owner = server.user(name).await;
    owner.opens_pizzeria().await;
    let made = owner.post("/api/v1/pizzas", json!({ "title": name, "description": "x" })).await.expect(StatusCode::CREATED);
    let token = made.headers["consistency-token"].to_str().unwrap().to_owned();
    Life { owner, pizza: made.body, token }
}

/// The event's id at each (epoch, partition, position).
fn export(home: &Home) -> HashMap<String, String> {
    let output = home.tizza().args(["log", "export"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let place = |event: &Value| format!("{}.{}.{}", event["epoch"], event["partition"], event["position"]);
    events.map(|event| (place(&event), event["event_id"].to_string())).collect()
}
