//! Personal values are sealed before anything of them is stored.

use std::fs;

use database::{StoreUrl, on};
use event_log::{Append, AppendError, EventLog, NewEvent};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::place::{Place, accepted, append, event, on_both};

on_both! {
    personal_values_are_sealed_and_read_as_they_were,
    a_text_about_seals_stays_as_it_is,
    nothing_personal_is_stored_of_nobody,
    no_clear_value_is_in_any_file_or_table,
    without_the_right_key_there_is_an_error,
    keys_of_another_day_still_open_what_they_sealed,
    what_was_changed_or_moved_does_not_open,
}

pub const ADA: Uuid = Uuid::from_u128(0xada);
const SECRETS: [&str; 4] = ["Ada Lovelace", "12 St James's Square", "Ockham Park", "020 7946 0000"];

pub fn payload() -> Value {
    json!({
        "name": {"$pii": SECRETS[0]},
        "addresses": [{"street": {"$pii": SECRETS[1]}, "main": true}, {"street": {"$pii": SECRETS[2]}}],
        "contact": {"$pii": {"phones": [SECRETS[3]], "since": 1843}},
        "motto": "a text about $pii and {\"$sealed\": 1}",
        "nothing": {"$pii": null},
        "size/of~it": {"deep": [[{"$pii": 1.5}]]},
        "two": {"$pii": "no marker", "other": 1},
    })
}

pub fn personal(stream: u128, expected: i64, payload: &Value) -> Append {
    let mut wish = append(stream, expected);
    wish.events = vec![NewEvent { event_type: "Personal", ..event(&payload.to_string()) }];
    wish.metadata.subject_id = Some(ADA);
    wish
}

/// The payloads of a stream's events.
pub async fn read(log: &EventLog, stream: u128) -> Result<Vec<Value>, sqlx::Error> {
    let events = log.stream(Uuid::from_u128(stream), 0).await?;
    Ok(events.iter().map(|event| serde_json::from_str(&event.payload).unwrap()).collect())
}

async fn personal_values_are_sealed_and_read_as_they_were(place: Place) {
    let [log, other] = place.logs().await;
    let wish = personal(1, 0, &payload());
    assert!(accepted(&log.append(wish.clone()).await.unwrap()));
    assert!(accepted(&log.append(personal(1, 1, &payload())).await.unwrap()));
    for log in [&log, &other] {
        assert_eq!(read(log, 1).await.unwrap(), [payload(), payload()]);
        let read = log.read(wish.partition, 0, 9).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&read[1].payload).unwrap(), payload());
    }
    let rows: Vec<Value> = place.stored().await.events.iter().map(|row| serde_json::from_str(&row.payload).unwrap()).collect();
    for sealed in ["/name", "/addresses/0/street", "/addresses/1/street", "/contact", "/nothing", "/size~1of~0it/deep/0/0"] {
        let [first, second] = [0, 1].map(|n: usize| &rows[n].pointer(sealed).unwrap()["$sealed"]);
        assert!(first.is_string() && second.is_string() && first != second, "{sealed}: no two seals are alike");
    }
    for clear in ["/addresses/0/main", "/motto", "/two"] {
        assert_eq!(rows[0].pointer(clear), payload().pointer(clear), "{clear}");
    }
}

async fn a_text_about_seals_stays_as_it_is(place: Place) {
    let log = place.log().await;
    let texts = [
        r#"{ "z": "$sealed", "a": "$pii and {\"$sealed\":\"x\"}", "n": 1.0 }"#,
        r#"{"two":{"$sealed":1,"$pii":2},"a":"$shredded"}"#,
        r#""$sealed""#,
        "neither $pii nor $sealed is an object here",
    ];
    for (n, text) in texts.into_iter().enumerate() {
        let mut wish = personal(1, n as i64, &json!({}));
        wish.events[0].payload = text.into();
        assert!(accepted(&log.append(wish).await.unwrap()));
    }
    let read = log.stream(Uuid::from_u128(1), 0).await.unwrap();
    assert_eq!(read.iter().map(|event| event.payload.as_str()).collect::<Vec<_>>(), texts);
    assert_eq!(place.stored().await.events.iter().map(|row| row.payload.as_str()).collect::<Vec<_>>(), texts);
    assert_eq!(place.keys_sql().await.count("select count(*) from data_keys").await, 0);
}

async fn nothing_personal_is_stored_of_nobody(place: Place) {
    let log = place.log().await;
    let mut wish = personal(1, 0, &payload());
    wish.metadata.subject_id = None;
    assert!(matches!(log.append(wish.clone()).await, Err(AppendError::NoSubject { event_type: "Personal" })));
    wish.events[0].payload = "{}".into();
    assert!(accepted(&log.append(wish).await.unwrap()));
    assert_eq!(place.stored().await.events.len(), 1);
}

async fn no_clear_value_is_in_any_file_or_table(place: Place) {
    let log = place.log().await;
    for n in 0..20 {
        assert!(accepted(&log.append(personal(n, 0, &payload())).await.unwrap()));
    }
    for stored in contents(&place).await {
        for secret in SECRETS {
            assert!(!stored.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
        }
    }
    log.close().await;
}

/// All that is stored, while the log is open: each file, or each row.
async fn contents(place: &Place) -> Vec<Vec<u8>> {
    let contents: Vec<Vec<u8>> = match &place.url {
        StoreUrl::Sqlite(_) => fs::read_dir(&place.folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect(),
        StoreUrl::Postgres(_) => {
            let tables = "select format('%s.%I', schemaname, tablename) from pg_tables where schemaname like 'tizza_%'";
            let mut rows = vec![];
            for table in place.sql().await.texts(tables).await {
                rows.extend(place.sql().await.texts(&format!("select t::text from {table} t")).await);
            }
            rows.into_iter().map(String::into_bytes).collect()
        }
    };
    assert!(contents.iter().any(|bytes| bytes.windows(7).any(|bytes| bytes == b"$sealed")), "it is the right place to look");
    contents
}

async fn without_the_right_key_there_is_an_error(place: Place) {
    place.log().await.append(personal(1, 0, &payload())).await.unwrap();
    let wrong = EventLog::start(place.store().await, place.keys(&[[8; 32]]).await).await.unwrap();
    assert!(read(&wrong, 1).await.is_err());
    assert!(wrong.read(append(1, 0).partition, 0, 9).await.is_err());
    assert!(matches!(wrong.append(personal(1, 1, &payload())).await, Err(AppendError::Database(_))));
    let none = EventLog::start(place.store().await, place.keys(&[]).await).await.unwrap();
    assert!(read(&none, 1).await.is_err());
    assert_eq!(place.stored().await.events.len(), 1);
}

async fn keys_of_another_day_still_open_what_they_sealed(place: Place) {
    place.log().await.append(personal(1, 0, &payload())).await.unwrap();
    let (old, new) = ([7; 32], [9; 32]);
    let both = EventLog::start(place.store().await, place.keys(&[new, old]).await).await.unwrap();
    assert_eq!(read(&both, 1).await.unwrap(), [payload()]);
    assert!(accepted(&both.append(personal(1, 1, &payload())).await.unwrap()), "with the key that they have");
    let mut of_bob = personal(2, 0, &payload());
    of_bob.metadata.subject_id = Some(Uuid::from_u128(0xb0b));
    assert!(accepted(&both.append(of_bob).await.unwrap()));
    let only_new = EventLog::start(place.store().await, place.keys(&[new]).await).await.unwrap();
    assert_eq!(read(&only_new, 2).await.unwrap(), [payload()]);
    assert!(read(&only_new, 1).await.is_err());
}

async fn what_was_changed_or_moved_does_not_open(place: Place) {
    let log = place.log().await;
    log.append(personal(1, 0, &json!({"a": {"$pii": "one"}, "b": {"$pii": "two"}}))).await.unwrap();
    log.append(personal(1, 1, &json!({"a": {"$pii": "three"}, "b": {"$pii": "four"}}))).await.unwrap();
    let rows: Vec<Value> = place.stored().await.events.iter().map(|row| serde_json::from_str(&row.payload).unwrap()).collect();
    let mut changed = rows[0].clone();
    let mut text = changed["a"]["$sealed"].as_str().unwrap().to_owned();
    let other = if text.starts_with('A') { "B" } else { "A" };
    text.replace_range(..1, other);
    changed["a"]["$sealed"] = text.into();
    let swapped = json!({"a": rows[0]["b"], "b": rows[0]["a"]});
    let no_text = json!({"a": {"$sealed": 7}, "b": rows[0]["b"]});
    for payload in [changed, swapped, rows[1].clone(), no_text] {
        replace(&place, &payload).await;
        assert!(read(&log, 1).await.is_err(), "{payload}");
    }
    replace(&place, &rows[0]).await;
    assert_eq!(read(&log, 1).await.unwrap()[0]["a"], json!({"$pii": "one"}));
}

/// Puts another payload into the first event's row.
async fn replace(place: &Place, payload: &Value) {
    let sql = "update events set payload = $1 where version = 1";
    on!(&place.sql().await.0, |db| sqlx::query(sql).bind(payload.to_string()).execute(db).await.map(drop)).unwrap();
}
