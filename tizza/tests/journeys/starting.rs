//! Starting and stopping.

use std::{net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Command};

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::StatusCode;

use crate::{
    home::{Home, STORES, on_both_databases},
    process::Process,
    server::{PASSWORD, Server, eventually},
};

on_both_databases!(
    data_of_a_newer_version_is_refused_and_left_alone,
    a_log_with_another_number_of_partitions_is_refused,
    keys_that_are_missing_beside_data_are_not_made_anew,
    keys_that_are_not_those_of_the_log_are_refused,
    a_program_asks_for_no_key_that_it_does_not_need,
    stores_are_made_once_however_many_begin_at_once,
    a_second_start_finds_everything_as_it_was,
);

/// What must not run: one clear line, and not exit code 0.
pub fn refused(command: Command) -> String {
    let mut process = Process::spawn(command);
    let status = process.ended();
    let (_, told) = process.told();
    assert!(!status.success(), "{told}");
    let mut errors = told.lines().filter(|line| line.starts_with("error: "));
    errors.next().unwrap_or_else(|| panic!("no clear line: {told}")).to_owned()
}

fn role(home: &Home, name: &str) -> Command {
    let mut command = home.tizza();
    command.arg(name);
    command
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let home = Home::in_files();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (setting, value, named) in [
        ("HTTP_PORT", "abc", "HTTP_PORT"),
        ("HTTP_PORT", "65536", "HTTP_PORT"),
        ("HTTP_PORT", &*port, "HTTP_PORT"),
        ("ADMIN_PORT", &*port, "ADMIN_PORT"),
        ("HTTP_HOST", "203.0.113.1", "HTTP_HOST"),
        ("ADMIN_HOST", "nowhere.invalid", "ADMIN_HOST"),
        ("PUBLIC_URL", "tizza.example", "PUBLIC_URL"),
        ("CONNECT_TIMEOUT", "soon", "CONNECT_TIMEOUT"),
        ("LOG_LEVEL", "a=b=c", "LOG_LEVEL"),
        ("CLAIM_KEY", "short", "CLAIM_KEY"),
        ("KEY_ENCRYPTION_KEYS", "short", "KEY_ENCRYPTION_KEYS"),
        ("READ_URL", "sqlite:///proc/read.db", "READ_URL"),
        ("ADMIN_TOKEN", "short", "ADMIN_TOKEN"),
        ("ADMIN_TOKEN_FILE", "/nowhere/token", "ADMIN_TOKEN_FILE"),
        ("DATA_DIR", "/dev/null/data", "DATA_DIR"),
    ] {
        let mut command = home.tizza();
        command.env(setting, value);
        let told = refused(command);
        assert!(told.contains(named), "{setting}={value}: {told}");
    }
}

#[test]
fn a_service_that_is_not_there_is_not_ready() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let asking = |arguments: &[&str]| {
        let mut command = role(&Home::in_files(), "ready");
        // Not through whatever leads to other machines.
        command.args(arguments).env("ADMIN_PORT", &port).env("HTTP_PROXY", "http://127.0.0.1:1");
        refused(command)
    };
    let silent = asking(&["--timeout", "1"]);
    assert!(silent.contains(&format!("127.0.0.1:{port}/readyz does not answer")) && silent.contains("timed out"), "{silent}");
    drop(taken);
    let away = asking(&["--url", &format!("http://localhost:{port}/")]);
    assert!(away.contains(&format!("localhost:{port}/readyz does not answer")) && away.contains("refused"), "{away}");
    assert!(asking(&["--url", "nonsense"]).contains("nonsense/readyz"));
}

#[test]
fn a_url_that_names_no_store_is_refused_and_a_password_in_it_is_not_shown() {
    let home = Home::in_files();
    for (setting, ..) in STORES {
        for (url, problem) in [
            ("mysql://ada:topsecret@db/tizza", "unknown scheme"),
            ("log.db?topsecret", "unknown scheme"),
            ("sqlite://", "the path is missing"),
            ("postgres://ada:topsecret@db", "the database is missing"),
            ("postgres://ada:topsecret@db:port/tizza", "port"),
        ] {
            let mut command = home.tizza();
            command.env(setting, url);
            let told = refused(command);
            assert!(told.starts_with(&format!("error: {setting}: ")) && told.contains(problem), "{url}: {told}");
            assert!(!told.contains("topsecret"), "{told}");
        }
        for arguments in [vec!["--help"], vec!["migrate", "--help"], vec!["log", "show", "--help"], vec!["--nonsense"]] {
            let shown = home.tizza().args(&arguments).env(setting, "postgres://ada:topsecret@db/tizza").output().unwrap();
            let shown = [shown.stdout, shown.stderr].concat();
            assert!(!String::from_utf8_lossy(&shown).contains("topsecret"), "{arguments:?}");
        }
    }
}

async fn data_of_a_newer_version_is_refused_and_left_alone(home: Home) {
    drop(Server::start_in(&home));
    for (setting, ..) in STORES {
        let later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                     select 99, description, success, checksum, 0 from _sqlx_migrations where version = 1";
        home.execute(setting, later).await;
        let url = home.url(setting).to_string();
        for command in [home.tizza(), role(&home, "migrate")] {
            let told = refused(command);
            assert!(told.contains("newer version") && told.contains(&url), "{told}");
            assert!(told.contains(setting) || told.contains("DATA_DIR"), "{told}");
        }
        home.execute(setting, "delete from _sqlx_migrations where version = 99").await;
    }
    Server::start_in(&home).client().get("/livez").await.expect(StatusCode::OK);
}

async fn a_log_with_another_number_of_partitions_is_refused(home: Home) {
    drop(Server::start_in(&home));
    home.execute("LOG_URL", "update store_meta set value = '8' where key = 'partitions'").await;
    for command in [home.tizza(), role(&home, "projector"), role(&home, "migrate")] {
        let told = refused(command);
        assert!(told.contains("8 partitions") && told.contains(&home.url("LOG_URL").to_string()), "{told}");
    }
    home.execute("LOG_URL", "update store_meta set value = '16' where key = 'partitions'").await;
    Server::start_in(&home).client().get("/livez").await.expect(StatusCode::OK);
}

async fn keys_that_are_missing_beside_data_are_not_made_anew(home: Home) {
    Server::start_in(&home).user("luigi").await;
    for (key, needed_by) in [
        ("claim_key", vec!["command-api"]),
        ("cookie_keys", vec!["command-api", "query-api"]),
        ("key_encryption_keys", vec!["command-api", "projector"]),
    ] {
        let path = home.data_dir().join("secrets").join(key);
        let kept = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut superuser = home.tizza();
        superuser.args(["createsuperuser", "--username", "root", "--password", PASSWORD]);
        for command in needed_by.into_iter().map(|name| role(&home, name)).chain([home.tizza(), superuser]) {
            let told = refused(command);
            let name = key.to_uppercase();
            assert!(told.contains(&name) && told.contains(path.to_str().unwrap()) && told.contains(&format!("{name}_FILE")), "{told}");
            assert!(!path.exists());
        }
        std::fs::write(&path, kept).unwrap();
    }
    Server::start_in(&home).client().logs_in("luigi").await;
}

/// Or everybody would look erased, and every name be free.
async fn keys_that_are_not_those_of_the_log_are_refused(home: Home) {
    Server::start_in(&home).user("luigi").await;
    let other = BASE64_STANDARD.encode([5; 32]);
    for (key, needed_by) in [("CLAIM_KEY", vec!["command-api"]), ("KEY_ENCRYPTION_KEYS", vec!["command-api", "projector"])] {
        for name in needed_by {
            let mut command = role(&home, name);
            command.env(key, &other);
            let told = refused(command);
            assert!(told.contains(key), "{told}");
        }
    }
    for name in ["command-api", "projector"] {
        let mut command = role(&home, name);
        command.env("KEYS_URL", format!("sqlite://{}", home.data_dir().join("other-keys.db").display()));
        let told = refused(command);
        assert!(told.starts_with("error: KEYS_URL: ") && told.contains("the key store is empty beside a log that is not"), "{told}");
    }
    Server::start_in(&home).client().logs_in("luigi").await;
}

async fn a_program_asks_for_no_key_that_it_does_not_need(home: Home) {
    let server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    let id = luigi.get("/api/v1/users/me").await.body["id"].as_str().unwrap().to_owned();
    drop(server);
    let secrets = home.data_dir().join("secrets");
    let moved = secrets.with_file_name("cookie_keys");
    std::fs::rename(secrets.join("cookie_keys"), &moved).unwrap();
    std::fs::remove_file(secrets.join("claim_key")).unwrap();
    Process::spawn(role(&home, "projector")).says("projector folds");
    assert!(home.tizza().args(["log", "show", &id, "--reveal"]).status().unwrap().success());

    std::fs::remove_file(secrets.join("key_encryption_keys")).unwrap();
    let mut queries = role(&home, "query-api");
    queries.env("COOKIE_KEYS_FILE", moved);
    Process::spawn(queries).says("query-api listens");
    assert!(home.tizza().args(["log", "show", &id]).status().unwrap().success());
    let mut show = home.tizza();
    show.args(["log", "show", &id, "--reveal"]);
    assert!(refused(show).contains("KEY_ENCRYPTION_KEYS"));
    assert_eq!(std::fs::read_dir(secrets).unwrap().count(), 0, "nothing was made");
}

async fn stores_are_made_once_however_many_begin_at_once(home: Home) {
    let begun: Vec<_> = (0..4).map(|_| Process::spawn(role(&home, "migrate"))).collect();
    for mut process in begun {
        let status = process.ended();
        let (_, told) = process.told();
        assert!(status.success(), "{told}");
        let urls = STORES.map(|(setting, ..)| home.url(setting).to_string());
        assert!(
            told.lines().count() == 4 && told.lines().zip(urls).all(|(line, url)| line.ends_with(&format!("up to date: {url}"))),
            "{told}"
        );
    }
    assert!(!home.data_dir().join("secrets").exists(), "stores need no keys to be made");
    Server::start_in(&home).user("luigi").await;
}

/// As somebody for whom read-only is read-only, which it is not for root.
#[test]
fn a_file_that_cannot_be_written_is_refused() {
    let home = Home::in_files();
    drop(Server::start_in(&home));
    for (_, _, file) in STORES {
        let path = home.data_dir().join(file);
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o444);
        let powers = "-dac_override,-dac_read_search";
        let mut command = home.program(Path::new("setpriv"));
        command.args(["--bounding-set", powers, "--inh-caps", powers, env!("CARGO_BIN_EXE_tizza")]);
        let told = refused(command);
        assert!(told.contains("DATA_DIR") && told.contains(path.to_str().unwrap()) && told.contains("read"), "{told}");
        mode(0o644);
    }
}

async fn a_second_start_finds_everything_as_it_was(home: Home) {
    let mut server = Server::start_in(&home);
    let luigi = server.user("luigi").await;
    luigi.opens_pizzeria().await;
    luigi.creates_pizza("Margherita").await;
    let before = luigi.get("/api/v1/pizzas").await.body["results"].to_string();
    server.signal("TERM");
    assert!(server.ended().success());

    let again = Server::start_in(&home);
    let client = again.client();
    let path = |text: &str| text.replace(&server.url, &again.url);
    let after = client.get("/api/v1/pizzas").await.body["results"].to_string();
    assert_eq!(after, path(&before));
    client.logs_in("luigi").await;
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
