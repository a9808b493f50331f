//! A person is erased: their key is destroyed, and what it sealed can be read by nobody any more.

use database::{Either, on};
use event_log::{AppendError, Erasures, EventLog};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{
    place::{Place, accepted, append, on_both, until},
    sealing::{ADA, payload, personal, read},
    stored::Sql,
};

on_both! {
    what_is_erased_is_shredded_for_everybody_and_for_ever,
    nothing_personal_is_stored_of_the_erased,
    whoever_never_had_a_key_gets_none_after_their_erasure,
    a_key_that_is_made_while_its_person_is_erased_does_not_stay,
    a_key_that_is_wanted_while_its_person_is_erased_is_not_made,
    a_key_that_another_process_has_just_made_is_found,
    who_was_erased_after_the_backup_is_erased_again,
    nobody_is_erased_whom_the_list_cannot_take,
}

fn shredded() -> Value {
    let mut payload = payload();
    for place in ["/name", "/addresses/0/street", "/addresses/1/street", "/contact", "/nothing", "/size~1of~0it/deep/0/0"] {
        *payload.pointer_mut(place).unwrap() = json!({"$shredded": true});
    }
    payload
}

async fn what_is_erased_is_shredded_for_everybody_and_for_ever(place: Place) {
    let [log, other] = place.logs().await;
    let mut of_bob = personal(2, 0, &payload());
    of_bob.metadata.subject_id = Some(Uuid::from_u128(0xb0b));
    for wish in [personal(1, 0, &payload()), of_bob.clone()] {
        assert!(accepted(&log.append(wish).await.unwrap()));
    }
    assert_eq!(read(&other, 1).await.unwrap(), [payload()], "from now on it remembers the key, for a while");
    let before = place.stored().await;

    log.shred(ADA).await.unwrap();
    log.shred(ADA).await.unwrap();
    assert_eq!(read(&log, 1).await.unwrap(), [shredded()], "at once");
    assert_eq!(log.read(append(1, 0).partition, 0, 1).await.unwrap().len(), 1);
    until("the other one has forgotten the key", async || read(&other, 1).await.unwrap() == [shredded()]).await;
    assert_eq!(read(&place.log().await, 1).await.unwrap(), [shredded()]);
    for log in [&log, &other] {
        assert_eq!(read(log, 2).await.unwrap(), [payload()], "nobody else is");
    }
    assert_eq!(place.stored().await, before, "events do not change");
    let keys = place.keys_sql().await;
    assert_eq!(keys.count("select count(*) from data_keys").await, 1);
    assert_eq!(keys.count("select count(*) from erased_subjects").await, 1);
}

async fn nothing_personal_is_stored_of_the_erased(place: Place) {
    let [log, other] = place.logs().await;
    assert!(accepted(&log.append(personal(1, 0, &payload())).await.unwrap()));
    log.shred(ADA).await.unwrap();
    for log in [&log, &other] {
        let refused = log.append(personal(1, 1, &payload())).await;
        assert!(matches!(refused, Err(AppendError::Erased { subject: ADA })), "{refused:?}");
    }
    let mut wish = personal(1, 1, &json!({"ended": true}));
    assert!(accepted(&log.append(wish.clone()).await.unwrap()), "what is not personal is stored");
    wish.expected = 2;
    wish.events[0].event_id = Uuid::now_v7();
    assert!(accepted(&other.append(wish).await.unwrap()));
    assert_eq!(place.stored().await.events.len(), 3);
    assert_eq!(place.keys_sql().await.count("select count(*) from data_keys").await, 0);
}

async fn whoever_never_had_a_key_gets_none_after_their_erasure(place: Place) {
    let log = place.log().await;
    log.shred(ADA).await.unwrap();
    assert!(matches!(log.append(personal(1, 0, &payload())).await, Err(AppendError::Erased { .. })));
    assert_eq!(place.stored().await.events, []);
    assert_eq!(place.keys_sql().await.count("select count(*) from data_keys").await, 0);
}

async fn waits_or_is_done<T>(keys: &Sql, task: &JoinHandle<T>) {
    if let Either::Postgres(_) = keys.0 {
        until("it waits or is done", async || task.is_finished() || keys.waiting().await > 0).await;
    }
}

async fn a_key_that_is_made_while_its_person_is_erased_does_not_stay(place: Place) {
    let (log, keys) = (place.log().await, place.keys_sql().await);
    let mut tx = keys.begin().await;
    let make = "insert into data_keys (subject, sealed, made_at) values ($1, $2, '2026-01-01')";
    on!(&mut tx, |db| sqlx::query(make).bind(ADA).bind(&b"sealed"[..]).execute(&mut **db).await.map(drop)).unwrap();
    let erasing = tokio::spawn(async move { log.shred(ADA).await });
    waits_or_is_done(&keys, &erasing).await;
    tx.commit().await.unwrap();
    erasing.await.unwrap().unwrap();
    assert_eq!(keys.count("select count(*) from data_keys").await, 0);
}

async fn a_key_that_is_wanted_while_its_person_is_erased_is_not_made(place: Place) {
    let (log, keys) = (place.log().await, place.keys_sql().await);
    let mut tx = keys.begin().await;
    if let Either::Postgres(db) = &mut tx {
        sqlx::query("lock table data_keys in share row exclusive mode").execute(&mut **db).await.unwrap();
    }
    let erase = "insert into erased_subjects (subject, erased_at) values ($1, '2026-01-01')";
    on!(&mut tx, |db| sqlx::query(erase).bind(ADA).execute(&mut **db).await.map(drop)).unwrap();
    let appending = tokio::spawn(async move { log.append(personal(1, 0, &payload())).await });
    waits_or_is_done(&keys, &appending).await;
    tx.commit().await.unwrap();
    assert!(matches!(appending.await.unwrap(), Err(AppendError::Erased { subject: ADA })));
    assert_eq!(keys.count("select count(*) from data_keys").await, 0);
}

async fn a_key_that_another_process_has_just_made_is_found(place: Place) {
    let keys = place.keys(&[[7; 32]]).await;
    assert!(keys.find(ADA).await.unwrap().is_none());
    let log = EventLog::start(place.store().await, keys).await.unwrap();
    assert!(accepted(&place.log().await.append(personal(1, 0, &payload())).await.unwrap()));
    assert_eq!(read(&log, 1).await.unwrap(), [payload()], "nothing was erased");
}

async fn log_with_list(place: &Place) -> EventLog {
    let keys = place.keys(&[[7; 32]]).await.with(list(place));
    EventLog::start(place.store().await, keys).await.unwrap()
}

fn list(place: &Place) -> Erasures {
    Erasures::new(place.folder.path().join("erasures"))
}

async fn who_was_erased_after_the_backup_is_erased_again(place: Place) {
    let log = log_with_list(&place).await;
    let mut of_bob = personal(2, 0, &payload());
    of_bob.metadata.subject_id = Some(Uuid::from_u128(0xb0b));
    for wish in [personal(1, 0, &payload()), of_bob] {
        assert!(accepted(&log.append(wish).await.unwrap()));
    }
    let sql = place.keys_sql().await;
    sql.run("create table backup as select * from data_keys").await;
    for _ in 0..2 {
        log.shred(ADA).await.unwrap();
    }
    log.close().await;
    let lines = std::fs::read_to_string(place.folder.path().join("erasures")).unwrap();
    assert!(lines.lines().count() == 1 && lines.contains(&ADA.to_string()), "{lines}");

    sql.run("delete from erased_subjects").await;
    sql.run("delete from data_keys").await;
    sql.run("insert into data_keys select * from backup").await;
    let restored = place.log().await;
    assert_eq!(read(&restored, 1).await.unwrap(), [payload()], "without the list");
    let keys = place.keys(&[[7; 32]]).await.with(list(&place));
    assert_eq!(keys.erase_again().await.unwrap(), 1);
    assert_eq!(keys.erase_again().await.unwrap(), 0);
    let log = log_with_list(&place).await;
    assert_eq!(read(&log, 1).await.unwrap(), [shredded()]);
    assert_eq!(read(&log, 2).await.unwrap(), [payload()], "nobody else is");

    std::fs::remove_file(place.folder.path().join("erasures")).unwrap();
    assert_eq!(keys.erase_again().await.unwrap(), 0);
    let anew = std::fs::read_to_string(place.folder.path().join("erasures")).unwrap();
    assert!(anew.contains(&ADA.to_string()), "who is erased already is put on a new list");
}

async fn nobody_is_erased_whom_the_list_cannot_take(place: Place) {
    let list = Erasures::new(place.folder.path().join("gone/erasures"));
    let keys = place.keys(&[[7; 32]]).await.with(list);
    let log = EventLog::start(place.store().await, keys).await.unwrap();
    assert!(accepted(&log.append(personal(1, 0, &payload())).await.unwrap()));
    assert!(log.shred(ADA).await.is_err());
    assert_eq!(read(&log, 1).await.unwrap(), [payload()]);
    std::fs::create_dir(place.folder.path().join("gone")).unwrap();
    log.shred(ADA).await.unwrap();
    assert_eq!(read(&log, 1).await.unwrap(), [shredded()]);
}
