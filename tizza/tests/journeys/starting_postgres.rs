//! Starting when Postgres is away, or does not let us in.

use std::{net::TcpListener, time::Instant};

use reqwest::StatusCode;
use test_servers::{Options, Postgres};

use crate::{client::DEADLINE, home::Home, process::Process, server::Server, starting::refused};

#[test]
fn a_database_that_is_away_is_waited_for_and_given_up() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let home = Home::in_files();
    for role in [vec![], vec!["command-api"], vec!["projector"], vec!["migrate"]] {
        let mut command = home.tizza();
        command.args(&role).env("CONNECT_TIMEOUT", "1").env("KEYS_URL", format!("postgres://ada:topsecret@127.0.0.1:{free}/tizza"));
        let started = Instant::now();
        let mut process = Process::spawn(command);
        let status = process.ended();
        let (out, err) = process.told();
        assert!(!status.success() && (1..20).contains(&started.elapsed().as_secs()));
        let told = format!("{out}{err}");
        assert!(told.contains("the database is away; it is tried again"), "{told}");
        let last = err.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("error: KEYS_URL: postgres://ada@127.0.0.1:{free}/tizza is away; given up after 1 s: ")),
            "{err}"
        );
        assert!(!told.contains("topsecret"), "{told}");
    }
}

#[tokio::test]
async fn a_database_that_comes_up_in_time_is_used() {
    let Ok(mut cluster) = Postgres::start(Options { fsync: true, ..Options::default() }) else { return };
    let home = Home::in_database(&cluster.new_database());
    cluster.stop();
    let mut command = home.tizza();
    command.env("CONNECT_TIMEOUT", DEADLINE.as_secs().to_string());
    let mut waiting = Process::spawn(command);
    waiting.says("the database is away; it is tried again");
    cluster.restart();
    waiting.says("tizza listens");
    waiting.signal("TERM");
    assert_eq!(waiting.ended().code(), Some(0));
    Server::start_in(&home).client().get("/livez").await.expect(StatusCode::OK);
}

#[test]
fn who_is_told_to_stop_while_waiting_stops() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let home = Home::in_database(&format!("postgres://ada:topsecret@127.0.0.1:{free}/tizza"));
    for role in [None, Some("command-api"), Some("projector"), Some("query-api")] {
        let mut command = home.tizza();
        command.args(role).env("CONNECT_TIMEOUT", "3600");
        let mut waiting = Process::spawn(command);
        waiting.says("the database is away; it is tried again");
        waiting.signal("TERM");
        assert_eq!(waiting.ended().code(), Some(0), "{role:?}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_at_once() {
    let Ok(mut cluster) = Postgres::start(Options { fsync: true, ..Options::default() }) else { return };
    let url = cluster.new_database();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    for sql in
        ["create role ada login password 'topsecret'", "create role bob login password 'topsecret'", "grant all on schema public to ada"]
    {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let database = url.rsplit('/').next().unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("grant create on database {database} to ada"))).execute(&pool).await.unwrap();
    pool.close().await;
    let rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    std::fs::write(cluster.data_dir().join("pg_hba.conf"), rules).unwrap();
    cluster.restart();

    let place = format!("127.0.0.1:{}", cluster.port());
    let given = |user: &str, database: &str| format!("postgres://{user}@{place}/{database}");
    for (user, name, problem) in [
        ("ada:wrongsecret", database, "password authentication failed"),
        ("eve:topsecret", database, "password authentication failed"),
        ("ada:topsecret", "nowhere", "does not exist"),
        ("bob:topsecret", database, "permission denied"),
    ] {
        let mut command = Home::in_database(&given(user, name)).tizza();
        command.env("CONNECT_TIMEOUT", "3600");
        let told = refused(command);
        let shown = given(user.split(':').next().unwrap(), name);
        assert!(told.starts_with("error: LOG_URL: ") && told.contains(&shown) && told.contains(problem), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    Server::start_in(&Home::in_database(&given("ada:topsecret", database))).user("luigi").await;
}
