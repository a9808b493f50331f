//! A connection that is lost leaves open whether a batch was written. It is sent again, and nothing is written twice.

mod proxy;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use event_log::{Append, ClaimKey, CommandKey, EventLog, Key, Outcome};
use futures::future::join_all;

use self::proxy::{Cut, Proxy};
use crate::{
    claims::{giving_back, taking},
    place::{Answer, Place, accepted, append, event, on_both, until},
    stored::Sql,
};
on_both! {
    a_wish_that_is_sent_again_is_known_by_its_events,
}

async fn a_wish_that_is_sent_again_is_known_by_its_events(place: Place) {
    let [log, other] = place.logs().await;
    let name = ClaimKey::new([1; 32]).claim("name", "ada");
    let first = Append { events: vec![event("{}"), event("{}"), event("{}")], ..taking(1, 0, &[name]) };
    let appended = Outcome::Appended { version: 3, position: 3 };
    assert_eq!(log.append(first.clone()).await.unwrap(), appended);
    let before = place.stored().await;
    assert_eq!(log.append(first.clone()).await.unwrap(), appended);
    assert_eq!(other.append(first.clone()).await.unwrap(), appended);
    assert_eq!(place.stored().await, before, "nothing was written twice");

    assert!(accepted(&log.append(append(1, 3)).await.unwrap()));
    assert_eq!(log.append(first.clone()).await.unwrap(), appended, "also when others have gone on");
    assert_eq!(log.append(append(1, 0)).await.unwrap(), Outcome::Conflict { actual: 4 }, "another wish is another wish");
    assert_eq!(log.append(append(1, 3)).await.unwrap(), Outcome::Conflict { actual: 4 });

    let key = CommandKey { key: Key([1; 32]), fingerprint: Key([1; 32]), kept_for: None };
    let keyed = Append { key: Some(key), ..append(2, 0) };
    assert!(accepted(&log.append(keyed.clone()).await.unwrap()));
    assert!(matches!(log.append(keyed).await.unwrap(), Outcome::Replayed(_)), "the key is looked at first");
    assert_eq!(place.stored().await.events.len(), 5);
}

/// A log that is reached through a proxy, ready to append in one call.
async fn through_a_proxy() -> Option<(Place, Proxy, EventLog)> {
    let direct = test_servers::shared_database().ok()?;
    let proxy = Proxy::start(&direct).await;
    let log = Place::at(&proxy.url).log().await;
    for n in 0..16 {
        log.append(append(1_000 + n, 0)).await.unwrap();
    }
    Some((Place::at(&direct), proxy, log))
}

/// Appends while the proxy cuts the connection; the answer is where the event is stored.
async fn is_written_once(place: &Place, proxy: &Proxy, log: &EventLog, wish: &Append, cut: Cut) -> i64 {
    proxy.cut(cut);
    let answer = log.append(wish.clone()).await;
    assert!(proxy.has_cut(), "{cut:?}");
    let stored = place.stored().await;
    let row = stored.events.iter().find(|row| row.event_id == wish.events[0].event_id).unwrap();
    assert_eq!(answer.unwrap(), Outcome::Appended { version: wish.expected + 1, position: row.position });
    row.position
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_answer_is_lost_the_batch_is_sent_again_and_written_once() {
    let Some((place, proxy, log)) = through_a_proxy().await else { return };
    for (n, cut) in [Cut::Answer, Cut::Question, Cut::Answer, Cut::Question].into_iter().enumerate() {
        let wish = append(7, n as i64);
        let position = is_written_once(&place, &proxy, &log, &wish, cut).await;
        assert_eq!(log.read(wish.partition, position - 1, 9).await.unwrap().len(), 1);
    }
    assert_eq!(place.stored().await.events.len(), 16 + 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_answer_to_a_commit_is_lost_the_batch_is_sent_again_and_written_once() {
    let Some((place, proxy, log)) = through_a_proxy().await else { return };
    // Nobody has the name: so the batch is not as it was assumed to be, and is decided in a transaction.
    let name = ClaimKey::new([1; 32]).claim("name", "ada");
    for (n, cut) in [Cut::AnswerToCommit, Cut::Commit, Cut::AnswerToCommit].into_iter().enumerate() {
        is_written_once(&place, &proxy, &log, &giving_back(7, n as i64, name), cut).await;
    }
    assert_eq!(place.stored().await.events.len(), 16 + 3);
}

const WRITERS: u128 = 12;
const EACH: i64 = 40;

/// Ends all connections of the log whenever some more appends were answered, until all were.
async fn kill_again_and_again(sql: &Sql, answered: &AtomicUsize) -> usize {
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and application_name = 'tizza'";
    let all = (WRITERS * EACH as u128) as usize;
    let (mut killed, mut last) = (0, 0);
    while answered.load(SeqCst) < all {
        until("appends go on", async || answered.load(SeqCst) >= (last + 7).min(all)).await;
        last = answered.load(SeqCst);
        killed += sql.count(kill).await as usize;
    }
    killed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_connections_are_killed_all_is_written_once() {
    let Some(place) = Place::postgres() else { return };
    let logs: [EventLog; 2] = place.logs().await;
    let (sql, answered) = (place.sql().await, AtomicUsize::new(0));
    let writers = (0..WRITERS).map(|stream| {
        let (log, answered) = (&logs[stream as usize % 2], &answered);
        async move {
            let mut answers: Vec<(Append, Answer)> = vec![];
            for version in 0..EACH {
                let wish = append(stream, version);
                answers.push((wish.clone(), log.append(wish).await));
                answered.fetch_add(1, SeqCst);
            }
            answers
        }
    });
    let (answers, killed) = tokio::join!(join_all(writers), kill_again_and_again(&sql, &answered));
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    assert!(answers.iter().all(|(_, answer)| answer.as_ref().is_ok_and(accepted)), "{answers:?}");
    place.stored().await.is_what_was_answered(&answers);
    assert!(killed > 10, "{killed} were killed");
}
