//! The log's contract, each case asserting on what is stored.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeMap, time::Duration};

use database::StoreUrl;
use event_log::{
    Actor, Append, AppendError, ClaimChange, ClaimKey, EventLog, LinkChange, MAX_PAYLOAD, Metadata, NewEvent, Outcome, Partition, Read,
};
use tempfile::TempDir;
use uuid::Uuid;

async fn log() -> (TempDir, EventLog) {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder).await;
    (folder, log)
}

async fn open(folder: &TempDir) -> EventLog {
    EventLog::open(&StoreUrl::file(folder.path().join("log.db"))).await.unwrap()
}

fn event(payload: &str) -> NewEvent {
    NewEvent { event_type: "Happened", schema_version: 1, payload: payload.into() }
}

fn append(stream: u128, expected: i64) -> Append {
    let stream_id = Uuid::from_u128(stream);
    Append {
        stream_id,
        kind: "thing",
        partition: Partition::of(stream_id),
        expected,
        events: vec![event("{}")],
        metadata: Metadata { actor: Actor::Anonymous, subject_id: None, correlation_id: "test".into(), causation_id: None },
        reads: vec![],
        claims: vec![],
        links: vec![],
    }
}

fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Appended { .. })
}

/// Every partition: positions 1..=head, times never decreasing; every stream: versions 1..=version.
async fn holds_its_promises(log: &EventLog) -> usize {
    let mut streams: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    let mut count = 0;
    for partition in Partition::all() {
        let events = log.read(partition, 0, usize::MAX >> 1).await.unwrap();
        let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
        assert_eq!(positions, (1..=log.head(partition).await.unwrap()).collect::<Vec<_>>(), "gapless up to the head");
        assert!(events.is_sorted_by_key(|event| event.recorded_at));
        count += events.len();
        for event in events {
            streams.entry(event.stream_id).or_default().push(event.version);
        }
    }
    let ids: Vec<Uuid> = streams.keys().copied().collect();
    let rows = log.rows(&ids).await.unwrap();
    for (id, versions) in streams {
        assert_eq!(versions, (1..=rows[&id].version).collect::<Vec<_>>(), "versions of {id}");
    }
    count
}

#[tokio::test]
async fn what_was_appended_is_read_as_it_was_also_after_a_restart() {
    let (folder, log) = log().await;
    let mut wish = append(1, 0);
    wish.events = vec![event(r#"{"text":"naïve \"🍕\" \\ \n"}"#), event("{}")];
    wish.metadata.actor = Actor::User(Uuid::from_u128(9));
    let outcome = log.append(wish.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Appended { version: 2, position: 2 });
    let before = log.stream(wish.stream_id, 0).await.unwrap();
    log.close().await;

    let log = open(&folder).await;
    let after = log.stream(wish.stream_id, 0).await.unwrap();
    assert_eq!(before, after);
    assert_eq!(after[0].payload, wish.events[0].payload);
    assert_eq!(after[0].metadata, wish.metadata);
    assert_eq!((after[1].version, after[1].position, after[1].partition), (2, 2, wish.partition));
    assert_eq!(holds_its_promises(&log).await, 2);
}

#[tokio::test]
async fn of_concurrent_writers_to_one_version_exactly_one_wins() {
    let (_folder, log) = log().await;
    for version in 0..10 {
        let wishes = (0..20).map(|_| log.append(append(1, version)));
        let outcomes = join_all(wishes).await;
        assert_eq!(outcomes.iter().filter(|o| accepted(o)).count(), 1);
        assert!(outcomes.iter().all(|o| accepted(o) || *o == Outcome::Conflict { actual: version + 1 }));
    }
    assert_eq!(holds_its_promises(&log).await, 10);
}

#[tokio::test]
async fn many_writers_to_many_streams_leave_no_gap_and_a_tailing_reader_misses_nothing() {
    let (_folder, log) = log().await;
    let tail = tokio::spawn(tail(log.clone(), 400));
    let writers = (0..40u128).map(|stream| {
        let log = log.clone();
        async move {
            for version in 0..10 {
                assert!(accepted(&log.append(append(stream, version)).await.unwrap()));
            }
        }
    });
    futures::future::join_all(writers).await;
    tokio::time::timeout(Duration::from_secs(20), tail).await.expect("the tail sees all").unwrap();
    assert_eq!(holds_its_promises(&log).await, 400);
}

/// Reads behind the heads, as a projector does, until it has seen `expected` events; each position is the next one.
async fn tail(log: EventLog, expected: usize) {
    let mut heads = log.heads();
    let mut seen = [0; 16];
    let mut count = 0;
    while count < expected {
        let known = *heads.borrow_and_update();
        for partition in Partition::all() {
            if known[partition.index()] > seen[partition.index()] {
                for event in log.read(partition, seen[partition.index()], 7).await.unwrap() {
                    seen[partition.index()] += 1;
                    assert_eq!(event.position, seen[partition.index()]);
                    count += 1;
                }
            }
        }
        if seen == known && count < expected {
            heads.changed().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_decision_that_rested_on_an_old_version_is_stale() {
    let (_folder, log) = log().await;
    log.append(append(1, 0)).await.unwrap();
    let rests_on = |version| Read::Version { stream_id: Uuid::from_u128(1), version };
    let wish = |stream, read| Append { reads: vec![read], ..append(stream, 0) };
    assert!(accepted(&log.append(wish(2, rests_on(1))).await.unwrap()));
    log.append(append(1, 1)).await.unwrap();
    assert_eq!(log.append(wish(3, rests_on(1))).await.unwrap(), Outcome::Stale(rests_on(1)));
    let never = Read::Version { stream_id: Uuid::from_u128(77), version: 0 };
    assert!(accepted(&log.append(wish(4, never)).await.unwrap()), "a stream that does not exist has version 0");
    assert_eq!(holds_its_promises(&log).await, 4);
}

#[tokio::test]
async fn a_name_is_held_by_one_stream_and_a_miss_takes_none() {
    let (_folder, log) = log().await;
    let key = ClaimKey::new([1; 32]);
    let (ada, bob) = (key.claim("name", "ada"), key.claim("name", "bob"));
    let taking = |stream, claims: &[_]| Append { claims: claims.iter().map(|c| ClaimChange::Take(*c)).collect(), ..append(stream, 0) };
    let racing = join_all((1..=8).map(|stream| log.append(taking(stream, &[ada])))).await;
    assert_eq!(racing.iter().filter(|o| accepted(o)).count(), 1);
    assert_eq!(racing.iter().filter(|o| **o == Outcome::ClaimTaken(ada)).count(), 7);

    assert_eq!(log.append(taking(20, &[bob, ada])).await.unwrap(), Outcome::ClaimTaken(ada));
    assert_eq!(log.holder(bob).await.unwrap(), None);

    let winner = log.holder(ada).await.unwrap().unwrap();
    let stranger = Append { claims: vec![ClaimChange::GiveBack(ada)], ..append(21, 0) };
    assert!(accepted(&log.append(stranger).await.unwrap()));
    assert_eq!(log.holder(ada).await.unwrap(), Some(winner), "nobody gives back what is another's");

    let back = Append { claims: vec![ClaimChange::GiveBack(ada)], ..append(winner.as_u128(), 1) };
    assert!(accepted(&log.append(back).await.unwrap()));
    assert!(accepted(&log.append(taking(22, &[ada])).await.unwrap()));
    assert_eq!(log.holder(ada).await.unwrap(), Some(Uuid::from_u128(22)));
}

#[tokio::test]
async fn links_are_found_and_limited() {
    let (_folder, log) = log().await;
    let owner = Uuid::from_u128(500);
    let link = |present| vec![LinkChange { kind: "of-owner", key: owner, present }];
    let at_most = |links| Read::AtMost { kind: "of-owner", key: owner, links };
    let adding = |stream, most| Append { links: link(true), reads: vec![at_most(most)], ..append(stream, 0) };
    let racing = join_all((1..=8).map(|stream| log.append(adding(stream, 2)))).await;
    assert_eq!(racing.iter().filter(|o| accepted(o)).count(), 3, "two were there at most, so three may be made");
    let linked = log.linked("of-owner", owner).await.unwrap();
    assert_eq!(linked.len(), 3);

    let gone = Append { links: link(false), ..append(linked[0].as_u128(), 1) };
    assert!(accepted(&log.append(gone).await.unwrap()));
    assert_eq!(log.linked("of-owner", owner).await.unwrap(), linked[1..]);
    assert_eq!(log.append(adding(9, 1)).await.unwrap(), Outcome::Stale(at_most(1)));
}

#[tokio::test]
async fn a_stream_keeps_its_kind_and_its_partition() {
    let (_folder, log) = log().await;
    log.append(append(1, 0)).await.unwrap();
    let another_kind = Append { kind: "other", ..append(1, 1) };
    assert_eq!(log.append(another_kind).await.unwrap(), Outcome::AnotherStream);
    let elsewhere = Partition::all().find(|p| *p != Partition::of(Uuid::from_u128(1))).unwrap();
    let another_partition = Append { partition: elsewhere, ..append(1, 1) };
    assert_eq!(log.append(another_partition).await.unwrap(), Outcome::AnotherStream);
    assert_eq!(holds_its_promises(&log).await, 1);
}

#[tokio::test]
async fn what_must_not_be_stored_is_refused_at_the_edge() {
    let (_folder, log) = log().await;
    let with = |payload: String| Append { events: vec![event(&payload)], ..append(1, 0) };
    assert!(matches!(log.append(with("x".repeat(MAX_PAYLOAD + 1))).await, Err(AppendError::TooLarge { .. })));
    assert!(matches!(log.append(with("a\0b".into())).await, Err(AppendError::Nul { .. })));
    assert!(matches!(log.append(Append { events: vec![], ..append(1, 0) }).await, Err(AppendError::Empty)));
    assert!(accepted(&log.append(with("x".repeat(MAX_PAYLOAD))).await.unwrap()));
    assert_eq!(holds_its_promises(&log).await, 1);
}

#[tokio::test]
async fn closing_writes_what_was_accepted_and_refuses_the_rest() {
    let (folder, log) = log().await;
    let waiting: Vec<_> = (0..200u128)
        .map(|stream| {
            let log = log.clone();
            tokio::spawn(async move { log.append(append(stream, 0)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    log.close().await;
    let mut written = 0;
    for answer in waiting {
        written += usize::from(answer.await.unwrap().is_ok());
    }
    assert!(matches!(log.append(append(999, 0)).await, Err(AppendError::Closed)));
    assert_eq!(holds_its_promises(&open(&folder).await).await, written);
}

#[tokio::test]
async fn a_second_process_is_followed() {
    let (folder, log) = log().await;
    let mut heads = log.heads();
    let follower = tokio::spawn({
        let log = log.clone();
        async move { log.follow().await }
    });
    let other = open(&folder).await;
    other.append(append(1, 0)).await.unwrap();
    let index = Partition::of(Uuid::from_u128(1)).index();
    tokio::time::timeout(Duration::from_secs(10), heads.wait_for(|heads| heads[index] == 1)).await.unwrap().unwrap();
    assert!(accepted(&log.append(append(1, 1)).await.unwrap()));
    assert_eq!(other.append(append(1, 1)).await.unwrap(), Outcome::Conflict { actual: 2 });
    follower.abort();
}

#[tokio::test]
async fn a_lease_has_one_owner_and_a_new_owner_a_new_epoch() {
    let (_folder, log) = log().await;
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let minute = Duration::from_secs(60);
    assert_eq!(log.lease("work", first, minute).await.unwrap(), Some(1));
    assert_eq!(log.lease("work", second, minute).await.unwrap(), None);
    assert_eq!(log.lease("work", first, minute).await.unwrap(), Some(1), "renewed");
    log.release("work", second).await.unwrap();
    assert_eq!(log.lease("work", second, minute).await.unwrap(), None, "a stranger releases nothing");
    log.release("work", first).await.unwrap();
    assert_eq!(log.lease("work", second, minute).await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_policy_never_goes_back() {
    let (_folder, log) = log().await;
    let partition = Partition::new(3).unwrap();
    assert_eq!(log.policy_position("closing", partition).await.unwrap(), 0);
    log.policy_done("closing", partition, 7).await.unwrap();
    log.policy_done("closing", partition, 5).await.unwrap();
    assert_eq!(log.policy_position("closing", partition).await.unwrap(), 7);
}

async fn join_all(wishes: impl Iterator<Item = impl Future<Output = Result<Outcome, AppendError>>>) -> Vec<Outcome> {
    futures::future::join_all(wishes).await.into_iter().map(Result::unwrap).collect()
}
