//! What a decision rested on, checked where its events are written.

use event_log::{Append, Claim, ClaimChange, LinkChange, Outcome, Read};
use uuid::Uuid;

use crate::{
    place::{Place, accepted, append, on_both, outcomes, stream_in, until},
    stored::write,
};

on_both! {
    a_decision_that_rested_on_an_old_version_is_stale,
    what_is_written_while_a_decision_waits_for_its_turn_counts,
    nothing_follows_a_stream_s_end_in_its_own_partition,
    no_more_links_are_made_than_may_be,
    a_link_is_there_once_and_one_that_is_not_there_does_not_go,
}

pub fn rests_on(stream: u128, version: i64) -> Read {
    Read::Version { stream_id: Uuid::from_u128(stream), version }
}

pub fn reading(stream: u128, expected: i64, read: Read) -> Append {
    Append { reads: vec![read], ..append(stream, expected) }
}

pub const OWNER: Uuid = Uuid::from_u128(500);

pub fn at_most(links: i64) -> Read {
    Read::AtMost { kind: "of-owner", key: OWNER, links }
}

pub fn linking(stream: u128, expected: i64, present: bool) -> Append {
    Append { links: vec![LinkChange { kind: "of-owner", key: OWNER, present }], ..append(stream, expected) }
}

async fn a_decision_that_rested_on_an_old_version_is_stale(place: Place) {
    let log = place.log().await;
    // In another writer's partition, in another one of the same writer, and in the same one.
    for (round, partition) in [1, 2, 0].into_iter().enumerate() {
        let (ground, reader) = (stream_in(partition, 100 << round), stream_in(0, 100_000 << round));
        log.append(append(ground, 0)).await.unwrap();
        assert!(accepted(&log.append(reading(reader, 0, rests_on(ground, 1))).await.unwrap()));
        log.append(append(ground, 1)).await.unwrap();
        assert_eq!(log.append(reading(reader, 1, rests_on(ground, 1))).await.unwrap(), Outcome::Stale(rests_on(ground, 1)));
        let several = Append { reads: vec![rests_on(reader + 1, 0), rests_on(ground, 1)], ..append(reader, 1) };
        assert_eq!(log.append(several).await.unwrap(), Outcome::Stale(rests_on(ground, 1)), "of several the one is named");
        assert!(accepted(&log.append(reading(reader, 1, rests_on(ground, 2))).await.unwrap()));
    }
    assert!(accepted(&log.append(reading(9, 0, rests_on(77, 0))).await.unwrap()), "a stream that does not exist has version 0");
    assert_eq!(log.append(reading(10, 0, rests_on(77, 1))).await.unwrap(), Outcome::Stale(rests_on(77, 1)));
    assert_eq!(place.stored().await.events.len(), 3 * 4 + 1);
}

/// The facts are looked at when the head is locked, not before: in one call as well as in a transaction.
async fn what_is_written_while_a_decision_waits_for_its_turn_counts(place: Place) {
    let (log, sql) = (place.log().await, place.sql().await);
    let (ground, of_nobody) = (append(stream_in(3, 1), 0), Claim([1; 32]));
    log.append(ground.clone()).await.unwrap();
    let reading = |n: u128| reading(stream_in(3, n << 32), 0, rests_on(ground.stream_id.as_u128(), 1));
    let in_a_transaction = Append { claims: vec![ClaimChange::GiveBack(of_nobody)], ..reading(2) };
    for (n, wish) in [reading(1), in_a_transaction].into_iter().enumerate() {
        let mut tx = sql.hold(ground.partition).await;
        write(&mut tx, &append(ground.stream_id.as_u128(), 1 + n as i64)).await;
        let waiting = tokio::spawn({
            let (log, wish) = (log.clone(), Append { reads: vec![rests_on(ground.stream_id.as_u128(), 1 + n as i64)], ..wish });
            async move { log.append(wish).await }
        });
        if sql.0.pick(false, true) {
            until("it waits for the head", async || sql.waiting().await > 0).await;
        }
        tx.commit().await.unwrap();
        assert!(matches!(waiting.await.unwrap().unwrap(), Outcome::Stale(_)));
    }
    assert_eq!(place.stored().await.events.len(), 3);
}

/// Likes of a pizza race with its deletion: whoever rested on the pizza as it was is before the end, or is stale.
async fn nothing_follows_a_stream_s_end_in_its_own_partition(place: Place) {
    let [one, other] = place.logs().await;
    for round in 0..10u128 {
        let pizza = stream_in(3, round << 64 | 1);
        one.append(append(pizza, 0)).await.unwrap();
        let likes = (0..12u128).map(|n| reading(stream_in(3, round << 64 | n << 32 | 1 << 63), 0, rests_on(pizza, 1)));
        let (end, liked) = tokio::join!(one.append(append(pizza, 1)), outcomes(&other, likes));
        let Outcome::Appended { position: end, .. } = end.unwrap() else { panic!("nobody else writes to the pizza") };
        for outcome in liked {
            if let Outcome::Appended { position, .. } = outcome {
                assert!(position < end, "{position} comes after {end}");
            } else {
                assert_eq!(outcome, Outcome::Stale(rests_on(pizza, 1)));
            }
        }
    }
    place.stored().await;
}

async fn no_more_links_are_made_than_may_be(place: Place) {
    let log = place.log().await;
    let adding = |stream, most| Append { reads: vec![at_most(most)], ..linking(stream, 0, true) };
    let racing = outcomes(&log, (1..=8).map(|n| adding(stream_in(4, n << 32), 2))).await;
    assert_eq!(racing.iter().filter(|o| accepted(o)).count(), 3, "two were there at most, so three may be made: {racing:?}");
    assert_eq!(racing.iter().filter(|o| **o == Outcome::Stale(at_most(2))).count(), 5);
    let linked = log.linked("of-owner", OWNER).await.unwrap();
    let rows = |linked: &[Uuid]| linked.iter().map(|id| ("of-owner".to_owned(), OWNER, *id)).collect::<Vec<_>>();
    assert_eq!(place.stored().await.links, rows(&linked));
    assert_eq!(linked.len(), 3);

    assert!(accepted(&log.append(linking(linked[0].as_u128(), 1, false)).await.unwrap()));
    assert_eq!(place.stored().await.links, rows(&linked[1..]));
    assert_eq!(log.append(adding(9, 1)).await.unwrap(), Outcome::Stale(at_most(1)));
    assert!(accepted(&log.append(adding(9, 2)).await.unwrap()));
}

async fn a_link_is_there_once_and_one_that_is_not_there_does_not_go(place: Place) {
    let log = place.log().await;
    assert!(accepted(&log.append(linking(1, 0, true)).await.unwrap()));
    assert!(accepted(&log.append(linking(1, 1, true)).await.unwrap()));
    assert!(accepted(&log.append(linking(2, 0, false)).await.unwrap()));
    assert_eq!(place.stored().await.links, [("of-owner".to_owned(), OWNER, Uuid::from_u128(1))]);
    assert!(accepted(&log.append(reading(3, 0, at_most(1))).await.unwrap()));
    assert_eq!(log.append(reading(4, 0, at_most(0))).await.unwrap(), Outcome::Stale(at_most(0)));
}
