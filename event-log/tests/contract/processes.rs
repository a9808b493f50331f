//! Several processes at work on one log.

use std::time::Duration;

use database::Either;
use event_log::{Append, Claim, ClaimChange, CommandKey, EventLog, Key, Outcome};
use futures::future::join_all;
use sqlx::postgres::PgListener;
use uuid::Uuid;

use crate::{
    place::{Answer, DEADLINE, Place, accepted, append, on_both, stream_in},
    reads::rests_on,
};

on_both! {
    whatever_two_processes_contend_for_everything_holds,
    every_writer_of_one_stream_gets_in_when_it_tries_again,
}

const STREAMS: u128 = 24;
const COMMANDS: u128 = 50;

/// A wish as somebody might have it: on whichever stream, on a version that may be old, with names and keys that others want too.
async fn wish(log: &EventLog, who: u128, n: u128) -> Append {
    let chance = |of: u128, salt: u128| {
        let mut bits = (who * 1_000 + n) * 0x9e37_79b9_7f4a_7c15 + salt * 0xd1b5_4a32_d192_ed03;
        bits ^= bits >> 29;
        bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (bits >> 32) % of
    };
    let (stream, ground) = (chance(STREAMS, 1), chance(STREAMS, 2));
    let rows = log.rows(&[Uuid::from_u128(stream), Uuid::from_u128(ground)]).await.unwrap();
    let version = |stream| rows.get(&Uuid::from_u128(stream)).map_or(0, |row| row.version);
    let name = Claim([chance(4, 3) as u8; 32]);
    let key = CommandKey { key: Key([chance(100, 4) as u8; 32]), fingerprint: Key([0; 32]), kept_for: Some(Duration::from_secs(60)) };
    Append {
        reads: if chance(3, 5) == 0 && ground != stream { vec![rests_on(ground, version(ground))] } else { vec![] },
        claims: match chance(6, 6) {
            0 => vec![ClaimChange::Take(name)],
            1 => vec![ClaimChange::GiveBack(name)],
            _ => vec![],
        },
        key: (chance(3, 7) == 0).then_some(key),
        ..append(stream, version(stream))
    }
}

async fn whatever_two_processes_contend_for_everything_holds(place: Place) {
    let logs: [EventLog; 2] = place.logs().await;
    let writers = (0..16u128).map(|who| {
        let log = logs[who as usize % 2].clone();
        tokio::spawn(async move {
            let mut answers: Vec<(Append, Answer)> = vec![];
            for n in 0..COMMANDS {
                let wish = wish(&log, who, n).await;
                answers.push((wish.clone(), log.append(wish).await));
            }
            answers
        })
    });
    let answers: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    let stored = place.stored().await;
    stored.is_what_was_answered(&answers);
    let count = |which: fn(&Outcome) -> bool| answers.iter().filter(|(_, answer)| answer.as_ref().is_ok_and(which)).count();
    let refused = [
        count(|o| matches!(o, Outcome::Conflict { .. })),
        count(|o| matches!(o, Outcome::Stale(_))),
        count(|o| matches!(o, Outcome::ClaimTaken(_))),
        count(|o| matches!(o, Outcome::Replayed(_))),
    ];
    assert!(answers.iter().all(|(_, answer)| answer.is_ok()), "nothing failed");
    assert!(count(accepted) > 100 && refused.iter().all(|count| *count > 0), "{} accepted, refused {refused:?}", count(accepted));
    if place.sql().await.0.pick(false, true) {
        let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
        assert_eq!(place.sql().await.count(deadlocks).await, 0, "locks are taken in one order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_processes_tell_each_other() {
    let Some(place) = Place::postgres() else { return };
    let log = place.log().await;
    let Either::Postgres(pool) = place.sql().await.0 else { return };
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("tizza_log").await.unwrap();
    let following = tokio::spawn({
        let log = log.clone();
        async move { log.follow().await }
    });
    for version in 0..3 {
        log.append(append(1, version)).await.unwrap();
        tokio::time::timeout(DEADLINE, listener.recv()).await.expect("it is told").unwrap();
    }
    following.abort();
}

async fn every_writer_of_one_stream_gets_in_when_it_tries_again(place: Place) {
    let logs: [EventLog; 2] = place.logs().await;
    let stream = stream_in(3, 1);
    let writers = (0..8).map(|who: usize| {
        let log = logs[who % 2].clone();
        tokio::spawn(async move {
            let mut answers: Vec<(Append, Answer)> = vec![];
            while answers.iter().filter(|(_, answer)| answer.as_ref().is_ok_and(accepted)).count() < 5 {
                let rows = log.rows(&[Uuid::from_u128(stream)]).await.unwrap();
                let wish = append(stream, rows.values().next().map_or(0, |row| row.version));
                answers.push((wish.clone(), log.append(wish).await));
            }
            answers
        })
    });
    let answers: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    let stored = place.stored().await;
    stored.is_what_was_answered(&answers);
    assert_eq!(stored.events.len(), 40);
}
