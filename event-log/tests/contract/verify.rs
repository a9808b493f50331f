//! Whether damage is found, and named. Each kind of it is made past the log, as a restore gone wrong or a careless hand would.

use event_log::{
    Claim, ClaimChange, EventLog, LinkChange, Metadata, NewEvent, Recorded,
    verify::{Effects, Meaning, Verified},
};
use uuid::Uuid;

use crate::place::{Place, accepted, append, event, on_both, stream_in};

on_both! {
    a_log_that_nobody_has_touched_is_as_it_must_be,
    damage_to_events_is_found_and_named,
    damage_to_heads_and_streams_is_found_and_named,
    damage_to_names_links_and_what_points_into_the_log_is_found_and_named,
    names_that_moved_between_partitions_are_where_they_are_now,
    a_personal_value_that_was_changed_is_found,
    the_names_of_the_erased_are_taken_on_trust,
}

/// `take` and `give` in a payload name a claim's first byte, `link` and `unlink` a link's key.
struct Things;

impl Meaning for Things {
    fn read(&mut self, event: &Recorded) -> Result<Effects, String> {
        if event.event_type != "Happened" {
            return Err(format!("{} is not known", event.event_type));
        }
        let payload: serde_json::Value = serde_json::from_str(&event.payload).map_err(|e| e.to_string())?;
        let number = |name: &str| payload[name].as_u64().map(|number| number as u8);
        let claims = [number("take").map(|n| ClaimChange::Take(claim(n))), number("give").map(|n| ClaimChange::GiveBack(claim(n)))];
        let links = [number("link").map(|n| link(n, true)), number("unlink").map(|n| link(n, false))];
        Ok(Effects { kind: "thing", claims: claims.into_iter().flatten().collect(), links: links.into_iter().flatten().collect() })
    }
}

const fn claim(n: u8) -> Claim {
    Claim([n; 32])
}

fn link(n: u8, present: bool) -> LinkChange {
    LinkChange { kind: "of", key: Uuid::from_u128(n.into()), present }
}

async fn say(log: &EventLog, stream: u128, expected: i64, payload: &str) {
    let happened = NewEvent { payload: payload.into(), ..event("{}") };
    let told = Recorded {
        partition: event_log::Partition::of(Uuid::from_u128(stream)),
        position: 1,
        event_id: happened.event_id,
        stream_id: Uuid::from_u128(stream),
        version: 1,
        event_type: "Happened".into(),
        schema_version: 1,
        payload: payload.into(),
        metadata: append(stream, 0).metadata,
        recorded_at: chrono::DateTime::UNIX_EPOCH,
    };
    let Effects { claims, links, .. } = Things.read(&told).unwrap();
    let subject_id = Some(Uuid::from_u128(stream));
    let metadata = Metadata { subject_id, ..append(stream, 0).metadata };
    let wish = event_log::Append { events: vec![happened], claims, links, metadata, ..append(stream, expected) };
    assert!(accepted(&log.append(wish).await.unwrap()));
}

async fn verified(place: &Place) -> Verified {
    let (log, keys) = (place.store().await, place.keys(&[[7; 32]]).await);
    let mut seen = 0;
    let verified = log.verify(&keys, Things, |read| seen += read).await.unwrap();
    assert_eq!(seen, verified.events);
    log.close().await;
    keys.close().await;
    verified
}

/// Three events of one stream and one of another, in the same partition; a name and a link.
async fn history(place: &Place) {
    let log = place.log().await;
    let (first, second) = streams();
    say(&log, first, 0, r#"{"take":1}"#).await;
    say(&log, first, 1, r#"{"link":7}"#).await;
    say(&log, second, 0, r#"{"take":2,"link":8}"#).await;
    say(&log, first, 2, r#"{}"#).await;
    say(&log, second, 1, r#"{"give":2,"unlink":8}"#).await;
    log.close().await;
}

fn streams() -> (u128, u128) {
    let first = stream_in(3, 1);
    (first, stream_in(3, first + 1))
}

async fn a_log_that_nobody_has_touched_is_as_it_must_be(place: Place) {
    assert_eq!(verified(&place).await, Verified::default());
    history(&place).await;
    assert_eq!(verified(&place).await, Verified { events: 5, streams: 2, claims: 1, links: 1, faults: vec![] });
}

async fn damage_to_events_is_found_and_named(place: Place) {
    let damages: &[(&str, &[&str])] = &[
        ("delete from events where position = 2", &["position 3 follows 1", "version 3 follows 1 of its stream"]),
        ("delete from events where position = 5", &["its head is 5, its last event 4"]),
        ("update events set recorded_at = '2020-01-01 00:00:00+00:00' where position = 4", &["3.4", "older than the one before it"]),
        ("update events set version = 9 where position = 4", &["version 9 follows 2", "its row says version 3, its events 9"]),
        ("update events set type = 'Guessed' where position = 4", &["3.4", "Guessed is not known"]),
        ("update events set payload = '{' where position = 4", &["3.4", "EOF"]),
    ];
    found(&place, damages).await;
}

async fn damage_to_heads_and_streams_is_found_and_named(place: Place) {
    let damages: &[(&str, &[&str])] = &[
        ("update heads set position = 4 where partition = 3", &["its head is 4, its last event 5"]),
        ("update heads set recorded_at = '2020-01-01 00:00:00+00:00' where partition = 3", &["its head is older than its last event"]),
        ("delete from heads where partition = 3", &["its head is 0, its last event 5"]),
        ("update streams set version = 7 where version = 3", &["its row says version 7, its events 3"]),
        ("update streams set kind = 'thought' where version = 3", &["its row says thought, its events thing"]),
        ("update streams set partition = 4 where version = 3", &["its row says partition 4, its events 3"]),
        ("delete from streams where version = 3", &["it has events and no row"]),
    ];
    found(&place, damages).await;
}

async fn damage_to_names_links_and_what_points_into_the_log_is_found_and_named(place: Place) {
    let damages: &[(&str, &[&str])] = &[
        ("delete from claims", &["has taken a name that is not kept for it"]),
        ("insert into claims select command_key, stream_id from command_keys", &["its events do not say so"]),
        ("delete from links", &["does not lead to stream"]),
        ("update links set kind = 'for'", &["and its events do not say so", "does not lead to stream"]),
        ("insert into policy_checkpoints (policy, partition, position) values ('p', 3, 6)", &["policy p: it is at 3.6, beyond the head"]),
        ("update command_keys set position = 6", &["one of stream", "beyond the head"]),
    ];
    found(&place, damages).await;
}

/// Of each damage, done to a log of its own, all of this must be told.
async fn found(place: &Place, damages: &[(&str, &[&str])]) {
    let first = Uuid::from_u128(streams().0);
    for (damage, told) in damages {
        let place = place.another();
        history(&place).await;
        let sql = place.sql().await;
        let key = match &place.url {
            database::StoreUrl::Sqlite(_) => format!("x'{}'", "ab".repeat(32)),
            database::StoreUrl::Postgres(_) => format!("'\\x{}'", "ab".repeat(32)),
        };
        let id = if matches!(place.url, database::StoreUrl::Sqlite(_)) { format!("x'{}'", first.simple()) } else { format!("'{first}'") };
        sql.run(&format!(
            "insert into command_keys (command_key, fingerprint, stream_id, partition, expected, version, position)
             values ({key}, {key}, {id}, 3, 2, 3, 4)"
        ))
        .await;
        assert_eq!(verified(&place).await.faults, Vec::<String>::new());
        sql.run(damage).await;
        let faults = verified(&place).await.faults;
        for told in *told {
            assert!(faults.iter().any(|fault| fault.contains(told)), "{damage}: {faults:?}");
        }
    }
}

async fn names_that_moved_between_partitions_are_where_they_are_now(place: Place) {
    let log = place.log().await;
    // The later holder lives in the earlier partition, which is read first.
    let (later, earlier) = (stream_in(2, 1), stream_in(11, 1));
    say(&log, earlier, 0, r#"{"take":1}"#).await;
    say(&log, earlier, 1, r#"{"give":1}"#).await;
    say(&log, later, 0, r#"{"take":1}"#).await;
    log.close().await;
    assert_eq!(verified(&place).await, Verified { events: 3, streams: 2, claims: 1, links: 0, faults: vec![] });
}

async fn a_personal_value_that_was_changed_is_found(place: Place) {
    let log = place.log().await;
    say(&log, 1, 0, r#"{"name":{"$pii":"Ada"}}"#).await;
    say(&log, 1, 1, r#"{"name":{"$pii":"Countess"}}"#).await;
    log.close().await;
    assert_eq!(verified(&place).await.faults, Vec::<String>::new());
    place.sql().await.run("update events set payload = (select payload from events where version = 1) where version = 2").await;
    let faults = verified(&place).await.faults;
    assert!(matches!(&*faults, [fault] if fault.contains("a personal value at /name was changed")), "{faults:?}");
}

async fn the_names_of_the_erased_are_taken_on_trust(place: Place) {
    let log = place.log().await;
    say(&log, 1, 0, r#"{"take":1,"name":{"$pii":"Ada"}}"#).await;
    say(&log, 2, 0, r#"{"take":2}"#).await;
    log.shred(Uuid::from_u128(1)).await.unwrap();
    log.close().await;
    place.sql().await.run("update events set payload = replace(payload, '\"take\":1', '\"taken\":1')").await;
    assert_eq!(verified(&place).await.faults, Vec::<String>::new());
    place.sql().await.run("update events set payload = replace(payload, '\"take\":2', '\"taken\":2')").await;
    assert_eq!(verified(&place).await.faults.len(), 1, "of nobody else");
}
