//! Taking a log to another database: what is copied, and that nobody appends meanwhile.

use database::{Database, moving};
use event_log::{AppendingError, CommandKey, Key, LOG, LinkChange, LogStore};
use uuid::Uuid;

use crate::place::{DEADLINE, Place, accepted, append, event, on_both, outcomes};

on_both! {
    what_was_moved_is_the_same_there_and_back,
    a_copy_goes_on_wherever_it_was_interrupted,
    what_is_not_the_same_is_named,
    a_store_that_is_not_whole_yet_cannot_be_opened,
    a_log_that_is_moved_takes_nothing_also_from_who_was_not_seen,
    who_appends_is_seen_and_who_must_be_alone_is_alone,
}

/// Characters that a database, a protocol or a file might take for something else.
const AWKWARD: [&str; 5] = ["tab\\there", "line\\nbreak\\r", "back\\\\slash \\\\N \\\\.", "ünï ' \\\" €𝄞", "\\u2028 $1 {} \\u0001"];

/// With something in every table.
async fn history(place: &Place) {
    let log = place.log().await;
    let wishes = (0..40_u128).map(|number| {
        let payload = format!(r#"{{"text":"{}"}}"#, AWKWARD[number as usize % AWKWARD.len()]);
        let key =
            CommandKey { key: Key([number as u8; 32]), fingerprint: Key([255; 32]), kept_for: (number % 2 == 0).then_some(DEADLINE * 60) };
        let links = vec![LinkChange { kind: ["of", "Of", "öf"][number as usize % 3], key: Uuid::from_u128(number % 4), present: true }];
        let claims = vec![event_log::ClaimChange::Take(event_log::Claim([number as u8; 32]))];
        event_log::Append { events: vec![event(&payload), event("{}")], key: Some(key), links, claims, ..append(number, 0) }
    });
    assert!(outcomes(&log, wishes).await.iter().all(accepted));
    let parked = log.stream(Uuid::from_u128(7), 0).await.unwrap().remove(0);
    log.policy_done("policy", parked.partition, parked.position).await.unwrap();
    log.policy_park("policy", &parked, AWKWARD[2], chrono::Utc::now()).await.unwrap();
    let details = serde_json::json!({ "projection": AWKWARD[0] });
    log.note_operator_action(AWKWARD[3], "rebuild", &details, Some("127.0.0.1")).await.unwrap();
    log.note_operator_action("", "cleanup", &details, None).await.unwrap();
    log.close().await;
    let store = place.store().await;
    store.new_epoch().await.unwrap();
    store.close().await;
    place.sql().await.run("insert into relay_positions values ('tizza.events', 3, 7)").await;
}

async fn open(place: &Place) -> Database {
    Database::open_unfinished(&place.url, &LOG, DEADLINE).await.unwrap()
}

async fn copy(from: &Database, to: &Database) {
    for table in LOG.tables {
        moving::copy(from, to, table, &|_| {}).await.unwrap();
    }
}

async fn difference(one: &Database, other: &Database) -> Option<String> {
    for table in LOG.tables {
        if let Some(row) = moving::difference(one, other, table, &|_| {}).await.unwrap() {
            return Some(row);
        }
    }
    None
}

/// The other database, and a second one of this.
async fn others(place: &Place) -> Option<[Place; 2]> {
    let other = if place.sql().await.0.pick(true, false) { Place::postgres()? } else { Place::sqlite()? };
    Some([other, place.another()])
}

async fn what_was_moved_is_the_same_there_and_back(place: Place) {
    history(&place).await;
    let Some([there, back]) = others(&place).await else { return };
    let [here_db, there_db, back_db] = [open(&place).await, open(&there).await, open(&back).await];
    copy(&here_db, &there_db).await;
    copy(&there_db, &back_db).await;
    for table in LOG.tables {
        assert!(moving::length(&here_db, std::slice::from_ref(table)).await.unwrap() > 0, "{} has something to move", table.name);
    }
    assert_eq!(difference(&here_db, &back_db).await, None);
    let (here, there, back) = (place.stored().await, there.stored().await, back.stored().await);
    assert_eq!(here, there);
    assert_eq!(here, back);
}

async fn a_copy_goes_on_wherever_it_was_interrupted(place: Place) {
    history(&place).await;
    let Some([there, _]) = others(&place).await else { return };
    let (from, to) = (open(&place).await, open(&there).await);
    copy(&from, &to).await;
    let sql = there.sql().await;
    for behind in ["true", "partition > 5", "partition = 15", "position % 2 = 0 and partition >= 9", "false"] {
        sql.run(&format!("delete from events where (partition, position) >= (select partition, position from events where {behind} order by 1, 2 limit 1)")).await;
        sql.run("delete from links where kind >= 'of'").await;
        sql.run("delete from claims").await;
        copy(&from, &to).await;
        assert_eq!(difference(&from, &to).await, None, "behind {behind}");
    }
}

async fn what_is_not_the_same_is_named(place: Place) {
    history(&place).await;
    let Some([there, _]) = others(&place).await else { return };
    let (from, to) = (open(&place).await, open(&there).await);
    copy(&from, &to).await;
    let sql = there.sql().await;
    let first = sql.texts("select cast(partition as text) from events order by partition limit 1").await.remove(0);
    for (damage, named) in [
        ("delete from policy_parked", "policy_parked (policy policy, partition "),
        ("insert into epochs values (5, 3, 1)", "epochs (epoch 5, partition 3)"),
        ("update store_meta set value = '17' where key = 'partitions'", "store_meta (key partitions)"),
    ] {
        sql.run(damage).await;
        let found = difference(&from, &to).await.unwrap();
        assert!(found.starts_with(named), "{found}");
        assert_eq!(difference(&to, &from).await.unwrap(), found, "from either side");
        let table = LOG.tables.iter().find(|table| named.starts_with(table.name)).unwrap();
        sql.run(&format!("delete from {}", table.name)).await;
        copy(&from, &to).await;
    }
    sql.run(&format!("update events set payload = replace(payload, 'e', 'E') where partition = {first} and position = 1")).await;
    assert_eq!(difference(&from, &to).await.unwrap(), format!("events (partition {first}, position 1)"));
}

async fn a_store_that_is_not_whole_yet_cannot_be_opened(place: Place) {
    place.store().await.close().await;
    let database = open(&place).await;
    assert_eq!(database.first_in_use(LOG.tables).await.unwrap(), None, "what opening puts there does not count");
    database.begin_import("sqlite:///elsewhere/log.db", LOG.tables).await.unwrap();
    let refused = LogStore::open(&place.url, DEADLINE).await.unwrap_err().to_string();
    assert!(refused.contains("not whole yet") && refused.contains("sqlite:///elsewhere/log.db"), "{refused}");
    database.end_import(LOG.tables).await.unwrap();
    let log = place.log().await;
    assert!(accepted(&log.append(append(1, 0)).await.unwrap()));
    assert_eq!(database.first_in_use(LOG.tables).await.unwrap(), Some("events"));
}

async fn a_log_that_is_moved_takes_nothing_also_from_who_was_not_seen(place: Place) {
    let mut log = place.log().await;
    assert!(accepted(&log.append(append(1, 0)).await.unwrap()));
    let store = place.store().await;
    assert_eq!(store.moved().await.unwrap(), None);
    store.begin_move("postgres://db/tizza").await.unwrap();
    for wish in [append(1, 1), append(2, 0), append(1, 7)] {
        let outcome = log.append(wish).await;
        assert!(!outcome.as_ref().is_ok_and(accepted), "{outcome:?}");
    }
    assert_eq!(place.stored().await.events.len(), 1);
    let moving = log.begin_appending().await.unwrap_err();
    assert!(matches!(&moving, AppendingError::Moving(moved) if moved.target == "postgres://db/tizza"), "{moving}");
    store.end_move().await.unwrap();
    assert!(matches!(log.begin_appending().await, Err(AppendingError::Moved(_))));
    store.abandon_move().await.unwrap();
    log.begin_appending().await.unwrap();
    assert!(accepted(&log.append(append(1, 1)).await.unwrap()));
}

async fn who_appends_is_seen_and_who_must_be_alone_is_alone(place: Place) {
    let [mut one, mut other] = place.logs().await;
    let store = place.store().await;
    one.begin_appending().await.unwrap();
    other.begin_appending().await.unwrap();
    assert!(store.alone().await.unwrap().is_none());
    drop(one);
    assert!(store.alone().await.unwrap().is_none());
    drop(other);
    let alone = store.alone().await.unwrap().expect("nobody is there any more");
    assert!(matches!(place.log().await.begin_appending().await, Err(AppendingError::Taken)));
    drop(alone);
    crate::place::until("one may append again", async || place.log().await.begin_appending().await.is_ok()).await;
}
