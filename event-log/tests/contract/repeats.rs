//! Commands that are sent again under their key.

use std::time::Duration;

use event_log::{Append, CommandKey, Key, Outcome, Remembered};

use crate::place::{Place, accepted, append, on_both, outcomes, stream_in};

on_both! {
    of_equal_commands_that_race_one_is_written_and_all_are_answered_alike,
    one_key_writes_once_in_whatever_partition_and_process,
    another_body_under_the_same_key_is_refused,
    that_there_was_nothing_to_do_is_remembered,
    a_rejection_is_not_remembered,
    a_key_that_has_expired_is_forgotten_and_may_be_used_anew,
}

const HOUR: Option<Duration> = Some(Duration::from_secs(3_600));

fn keyed(stream: u128, expected: i64, key: u8, body: u8) -> Append {
    let key = CommandKey { key: Key([key; 32]), fingerprint: Key([body; 32]), kept_for: HOUR };
    Append { key: Some(key), ..append(stream, expected) }
}

async fn of_equal_commands_that_race_one_is_written_and_all_are_answered_alike(place: Place) {
    let [one, other] = place.logs().await;
    for round in 0..10u8 {
        let wishes = || (0..4).map(|_| keyed(u128::from(round), 0, round, 1));
        let (these, those) = tokio::join!(outcomes(&one, wishes()), outcomes(&other, wishes()));
        let all = [these, those].concat();
        let Some(&Outcome::Appended { version, position }) = all.iter().find(|o| accepted(o)) else { panic!("{all:?}") };
        let wish = keyed(u128::from(round), 0, round, 1);
        let told = Remembered { stream_id: wish.stream_id, partition: wish.partition, expected: 0, version, position };
        assert_eq!(all.iter().filter(|outcome| **outcome == Outcome::Replayed(told.clone())).count(), 7, "{all:?}");
        assert_eq!(one.remembered(&wish.key.unwrap()).await.unwrap(), Some(Outcome::Replayed(told)));
    }
    let stored = place.stored().await;
    assert_eq!((stored.events.len(), stored.streams.len(), stored.keys.len()), (10, 10, 10));
}

async fn one_key_writes_once_in_whatever_partition_and_process(place: Place) {
    let [one, other] = place.logs().await;
    for round in 0..20u8 {
        // 0 and 2 have the same writer, 1 has another one.
        let at = u128::from(round) << 32;
        let streams = [0, 1, 2].map(|partition| stream_in(partition, at));
        let wishes = || streams.map(|stream| keyed(stream, 0, round, 1));
        let (these, those) = tokio::join!(outcomes(&one, wishes()), outcomes(&other, wishes()));
        let all = [these, those].concat();
        assert_eq!(all.iter().filter(|o| accepted(o)).count(), 1, "{all:?}");
        let stored = place.stored().await;
        let written = stored.events.iter().find(|row| streams.contains(&row.stream_id.as_u128())).unwrap();
        let is_told = |o: &Outcome| matches!(o, Outcome::Replayed(told) if told.stream_id == written.stream_id && told.version == 1);
        assert_eq!(all.iter().filter(|o| is_told(o)).count(), 5, "all others are told of the one that was written: {all:?}");
    }
    let stored = place.stored().await;
    assert_eq!((stored.events.len(), stored.streams.len(), stored.keys.len()), (20, 20, 20));
}

async fn another_body_under_the_same_key_is_refused(place: Place) {
    let log = place.log().await;
    assert!(accepted(&log.append(keyed(1, 0, 1, 1)).await.unwrap()));
    for wish in [keyed(1, 1, 1, 2), keyed(1, 0, 1, 2), keyed(2, 0, 1, 2)] {
        assert_eq!(log.append(wish).await.unwrap(), Outcome::KeyReused);
    }
    assert_eq!(log.remembered(&keyed(1, 0, 1, 2).key.unwrap()).await.unwrap(), Some(Outcome::KeyReused));
    let racing = outcomes(&log, (0..8).map(|body| keyed(10 + u128::from(body), 0, 3, body))).await;
    assert_eq!(racing.iter().filter(|o| accepted(o)).count(), 1);
    assert_eq!(racing.iter().filter(|o| **o == Outcome::KeyReused).count(), 7);
    assert_eq!(place.stored().await.events.len(), 2);
}

async fn that_there_was_nothing_to_do_is_remembered(place: Place) {
    let log = place.log().await;
    log.append(append(1, 0)).await.unwrap();
    let nothing = |key| Append { events: vec![], ..keyed(1, 1, key, 1) };
    assert_eq!(log.append(nothing(7)).await.unwrap(), Outcome::Appended { version: 1, position: 1 });
    log.append(append(1, 1)).await.unwrap();
    let Append { stream_id, partition, .. } = nothing(7);
    let told = Outcome::Replayed(Remembered { stream_id, partition, expected: 1, version: 1, position: 1 });
    assert_eq!(log.append(nothing(7)).await.unwrap(), told, "also when there would be something to do by now");
    assert_eq!(log.append(nothing(8)).await.unwrap(), Outcome::Conflict { actual: 2 });
    let of_nobody = Append { events: vec![], ..keyed(2, 0, 9, 1) };
    assert_eq!(log.append(of_nobody).await.unwrap(), Outcome::Appended { version: 0, position: 0 });
    let stored = place.stored().await;
    assert_eq!((stored.events.len(), stored.streams.len(), stored.keys.len()), (2, 1, 2));
}

async fn a_rejection_is_not_remembered(place: Place) {
    let log = place.log().await;
    let wish = keyed(1, 1, 1, 1);
    assert_eq!(log.append(wish.clone()).await.unwrap(), Outcome::Conflict { actual: 0 });
    assert_eq!(log.remembered(wish.key.as_ref().unwrap()).await.unwrap(), None);
    assert!(place.stored().await.keys.is_empty());
    log.append(append(1, 0)).await.unwrap();
    assert!(accepted(&log.append(wish).await.unwrap()), "it may be retried");
    assert_eq!(place.stored().await.keys.len(), 1);
}

async fn a_key_that_has_expired_is_forgotten_and_may_be_used_anew(place: Place) {
    let log = place.log().await;
    let for_no_time = |stream, body| {
        let mut wish = keyed(stream, 0, 1, body);
        wish.key.as_mut().unwrap().kept_for = Some(Duration::ZERO);
        wish
    };
    for stream in 1..4 {
        let wish = for_no_time(stream, stream as u8);
        assert!(accepted(&log.append(wish.clone()).await.unwrap()));
        assert_eq!(log.remembered(&wish.key.unwrap()).await.unwrap(), None);
    }
    assert!(accepted(&log.append(keyed(9, 0, 1, 9)).await.unwrap()), "kept this time");
    assert!(matches!(log.append(for_no_time(10, 9)).await.unwrap(), Outcome::Replayed(_)));
    let stored = place.stored().await;
    assert_eq!((stored.events.len(), stored.keys.len()), (4, 1));
    assert_eq!(stored.keys[0].2.as_u128(), 9, "the key is the last one's");
}
