//! Appending to one stream and to many, and reading what was appended.

use chrono::{DateTime, Utc};
use event_log::{Actor, Append, AppendError, Claim, ClaimChange, Outcome, Partition};
use tokio::time::timeout;
use uuid::Uuid;

use crate::place::{DEADLINE, Place, accepted, append, event, on_both, outcomes, stream_in};

on_both! {
    what_was_appended_is_read_as_it_was_also_after_a_restart,
    of_concurrent_writers_to_one_version_exactly_one_wins,
    writers_to_many_streams_are_not_in_each_others_way,
    a_decision_that_ran_ahead_holds_only_behind_its_own_event,
    times_never_decrease_when_the_clock_does,
    closing_writes_what_was_accepted_and_refuses_the_rest,
    a_second_process_is_followed,
}

async fn what_was_appended_is_read_as_it_was_also_after_a_restart(place: Place) {
    let log = place.log().await;
    let mut wish = append(1, 0);
    wish.events = vec![event(r#"{"text":"naïve \"🍕\" \\ \n \u0000"}"#), event("{}")];
    wish.metadata.actor = Actor::User(Uuid::from_u128(9));
    wish.metadata.causation_id = Some(Uuid::from_u128(10));
    assert_eq!(log.append(wish.clone()).await.unwrap(), Outcome::Appended { version: 2, position: 2 });
    let before = log.stream(wish.stream_id, 0).await.unwrap();
    assert_eq!(log.read(wish.partition, 0, 9).await.unwrap(), before, "as it is told from memory");
    log.close().await;

    let log = place.log().await;
    let after = log.stream(wish.stream_id, 0).await.unwrap();
    assert_eq!(before, after);
    assert_eq!(log.read(wish.partition, 0, 9).await.unwrap(), after);
    assert_eq!(log.read_types(wish.partition, 0, 2, &["Happened"], 1).await.unwrap(), after[..1]);
    assert_eq!(log.stream(wish.stream_id, 1).await.unwrap(), after[1..]);
    assert_eq!(after[0].payload, wish.events[0].payload);
    assert_eq!(after[0].metadata, wish.metadata);
    let stored = place.stored().await;
    assert_eq!(stored.events.iter().map(|row| row.event_id).collect::<Vec<_>>(), [wish.events[0].event_id, wish.events[1].event_id]);
    assert_eq!(stored.streams[&wish.stream_id], ("thing".into(), wish.partition, 2));
    assert_eq!(stored.events[0].payload, wish.events[0].payload);
}

async fn of_concurrent_writers_to_one_version_exactly_one_wins(place: Place) {
    let [one, other] = place.logs().await;
    for version in 0..10 {
        let (these, those) =
            tokio::join!(outcomes(&one, (0..10).map(|_| append(1, version))), outcomes(&other, (0..10).map(|_| append(1, version))));
        let all = [these, those].concat();
        assert_eq!(all.iter().filter(|o| accepted(o)).count(), 1);
        assert!(all.iter().all(|o| accepted(o) || *o == Outcome::Conflict { actual: version + 1 }), "{all:?}");
    }
    let stored = place.stored().await;
    assert_eq!((stored.events.len(), stored.streams.len()), (10, 1));
}

async fn writers_to_many_streams_are_not_in_each_others_way(place: Place) {
    let log = place.log().await;
    let writers = (0..40u128).map(|stream| {
        let log = log.clone();
        async move {
            let mut answers = vec![];
            for version in 0..10 {
                let wish = append(stream, version);
                answers.push((wish.clone(), log.append(wish).await));
            }
            answers
        }
    });
    let answers = futures::future::join_all(writers).await.into_iter().flatten().collect::<Vec<_>>();
    assert!(answers.iter().all(|(_, answer)| answer.as_ref().is_ok_and(accepted)));
    place.stored().await.is_what_was_answered(&answers);
}

async fn a_decision_that_ran_ahead_holds_only_behind_its_own_event(place: Place) {
    let log = place.log().await;
    let first = append(1, 0);
    let second = Append { after: Some(first.events[0].event_id), ..append(1, 1) };
    let (ran_first, ran_second) = tokio::join!(log.append(first.clone()), log.append(second.clone()));
    assert_eq!((ran_first.unwrap(), ran_second.unwrap()), (appended(1), appended(2)));

    let never_written = Append { after: Some(Uuid::now_v7()), ..append(1, 2) };
    assert_eq!(log.append(never_written).await.unwrap(), Outcome::Conflict { actual: 2 });
    let from_nothing = Append { after: Some(Uuid::now_v7()), ..append(2, 0) };
    assert_eq!(log.append(from_nothing).await.unwrap(), Outcome::Conflict { actual: 0 });
    let written = Append { after: Some(second.events[0].event_id), ..append(1, 2) };
    assert_eq!(log.append(written).await.unwrap(), appended(3));
    assert_eq!(place.stored().await.events.len(), 3);
}

fn appended(n: i64) -> Outcome {
    Outcome::Appended { version: n, position: n }
}

async fn times_never_decrease_when_the_clock_does(place: Place) {
    let log = place.log().await;
    let future = "2100-01-01T00:00:00.000001Z";
    place.sql().await.run(&format!("update heads set recorded_at = '{future}'")).await;
    // The second one is decided in a transaction.
    for wish in [append(1, 0), Append { claims: vec![ClaimChange::GiveBack(Claim([1; 32]))], ..append(1, 1) }] {
        assert!(accepted(&log.append(wish).await.unwrap()));
    }
    let read = log.read(append(1, 0).partition, 0, 9).await.unwrap();
    assert!(read.iter().all(|event| event.recorded_at == future.parse::<DateTime<Utc>>().unwrap()), "{read:?}");
    assert_eq!(read, log.stream(Uuid::from_u128(1), 0).await.unwrap(), "what is told is what is stored");
    place.stored().await;
}

async fn closing_writes_what_was_accepted_and_refuses_the_rest(place: Place) {
    let log = place.log().await;
    let waiting: Vec<_> = (0..200u128)
        .map(|stream| {
            let (log, wish) = (log.clone(), append(stream, 0));
            tokio::spawn(async move { (wish.clone(), log.append(wish).await) })
        })
        .collect();
    tokio::task::yield_now().await;
    log.close().await;
    let mut answers = vec![];
    for answer in waiting {
        answers.push(answer.await.unwrap());
    }
    assert!(answers.iter().all(|(_, answer)| matches!(answer, Ok(Outcome::Appended { .. }) | Err(AppendError::Closed))));
    assert!(matches!(log.append(append(999, 0)).await, Err(AppendError::Closed)));
    let stored = place.stored().await;
    stored.is_what_was_answered(&answers);
    assert_eq!(
        stored.events.len(),
        answers.iter().filter(|(_, answer)| answer.is_ok()).count(),
        "who was told that it is closed wrote nothing"
    );
}

async fn a_second_process_is_followed(place: Place) {
    let [log, other] = place.logs().await;
    let mut heads = log.heads();
    let follower = tokio::spawn({
        let log = log.clone();
        async move { log.follow().await }
    });
    let stream = stream_in(5, 1);
    other.append(append(stream, 0)).await.unwrap();
    timeout(DEADLINE, heads.wait_for(|heads| heads[5] == 1)).await.unwrap().unwrap();
    assert_eq!(log.read(Partition::new(5).unwrap(), 0, 9).await.unwrap().len(), 1);
    assert!(accepted(&log.append(append(stream, 1)).await.unwrap()));
    assert_eq!(other.append(append(stream, 1)).await.unwrap(), Outcome::Conflict { actual: 2 });
    assert_eq!(place.stored().await.events.len(), 2);
    log.close().await;
    follower.abort();
}
