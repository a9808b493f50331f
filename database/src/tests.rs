//! On SQLite; what is opened on Postgres is tested with the stores themselves.

use super::*;

const START: Step = Step { name: "start", sqlite: "create table t (x integer not null) strict;", postgres: "" };
const MORE: Step = Step { name: "more", sqlite: "create table u (y integer) strict;", postgres: "" };

async fn open(path: &std::path::Path, steps: &'static [Step]) -> Result<Database, OpenError> {
    let store = Store { schema: "tizza_test", durability: Durability::Full, steps, tables: &[] };
    Database::open(&StoreUrl::file(path), &store, Duration::ZERO).await
}

#[tokio::test]
async fn a_store_is_made_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/store.db");
    let first = open(&path, &[START]).await.unwrap();
    on!(&first.writer, |db| sqlx::query("insert into t values (7)").execute(db).await.map(drop)).unwrap();
    first.close().await;
    let again = open(&path, &[START, MORE]).await.unwrap();
    let x: i64 = on!(&again.reader, |db| sqlx::query_scalar("select x from t").fetch_one(db).await).unwrap();
    assert_eq!(x, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_a_store_at_once_all_have_it() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let opening: Vec<_> =
            (0..6).map(|_| path.clone()).map(|path| tokio::spawn(async move { open(&path, &[START, MORE]).await })).collect();
        for opened in opening {
            opened.await.unwrap().unwrap().close().await;
        }
    }
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    open(&path, &[START, MORE]).await.unwrap().close().await;
    assert!(matches!(open(&path, &[START]).await, Err(OpenError::Newer { migration: 2, .. })));
}

#[tokio::test]
async fn a_place_where_nothing_can_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let refused = open(&file.join("store.db"), &[START]).await.unwrap_err();
    assert!(matches!(refused, OpenError::NotWritable { .. }), "{refused}");
    assert!(refused.to_string().contains("store.db"));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let text = "not a database, ".repeat(100);
    std::fs::write(&file, &text).unwrap();
    assert!(open(&file, &[START]).await.is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn readers_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &[START]).await.unwrap();
    let written = on!(&store.reader, |db| sqlx::query("insert into t values (1)").execute(db).await.map(drop));
    assert!(written.is_err());
}

/// As SQLite does by itself when the disk is full.
#[tokio::test]
async fn a_transaction_that_the_database_has_ended_is_not_in_the_way_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &[START]).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    on!(&mut tx, |db| sqlx::query("rollback").execute(&mut **db).await.map(drop)).unwrap();
    assert!(tx.commit().await.is_err());
    let mut tx = store.begin().await.unwrap();
    on!(&mut tx, |db| sqlx::query("insert into t values (7)").execute(&mut **db).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_given_up_after_a_while_and_named_without_its_password() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url: StoreUrl = format!("postgres://ada:secret@127.0.0.1:{free}/tizza").parse().unwrap();
    let store = Store { schema: "tizza_test", durability: Durability::Full, steps: &[], tables: &[] };
    let refused = Database::open(&url, &store, Duration::ZERO).await.unwrap_err();
    assert!(matches!(refused, OpenError::Away { .. }));
    assert!(refused.to_string().contains(&format!("127.0.0.1:{free}")) && !refused.to_string().contains("secret"), "{refused}");
}
