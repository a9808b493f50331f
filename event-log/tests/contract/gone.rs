//! Whoever asked is gone before the answer: what was asked for is done all the same or not at all, and nobody else notices.

use std::task::Poll;

use database::Either;
use event_log::{Append, EventLog};
use futures::future::join_all;
use uuid::Uuid;

use crate::place::{Answer, Place, accepted, append, event, on_both, until};

on_both! {
    whoever_drops_an_append_leaves_a_log_that_goes_on,
    whoever_drops_an_erasure_leaves_keys_that_go_on,
}

/// Looks at a future so many times, as often as it makes any difference, and drops it.
async fn drop_after<F: Future>(turns: usize, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = turns;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Of a person that nobody has heard of: their key must be made first.
fn personal(stream: u128, subject: Uuid) -> Append {
    let mut wish = append(stream, 0);
    wish.events = vec![event(r#"{"name":{"$pii":"Ada"}}"#), event("{}")];
    wish.metadata.subject_id = Some(subject);
    wish
}

async fn whoever_drops_an_append_leaves_a_log_that_goes_on(place: Place) {
    let log = place.log().await;
    let wishes = |from: u128| (from..from + 100).map(|n| personal(n, Uuid::from_u128(n)));
    let dropped = join_all(wishes(0).enumerate().map(|(n, wish)| drop_after(n % 12, log.append(wish)))).await;
    assert!(dropped.iter().any(Option::is_none), "some were dropped");

    let answers: Vec<(Append, Answer)> = join_all(wishes(1_000).map(async |wish| (wish.clone(), log.append(wish).await))).await;
    assert!(answers.iter().all(|(_, answer)| answer.as_ref().is_ok_and(accepted)), "{answers:?}");
    let sealed = answers.iter().map(|(wish, _)| wish.clone());
    all_can_be_read(&log, sealed).await;
    log.close().await;
    let mut stored = place.stored().await;
    let (theirs, ours): (Vec<_>, Vec<_>) = stored.events.into_iter().partition(|row| row.stream_id.as_u128() < 1_000);
    assert_eq!(theirs.len() % 2, 0, "as a whole or not at all");
    assert_eq!(ours.len(), 200);
    stored.events = ours;
    nothing_is_left_open(&place).await;
}

async fn all_can_be_read(log: &EventLog, wishes: impl Iterator<Item = Append>) {
    for wish in wishes {
        let read = log.stream(wish.stream_id, 0).await.unwrap();
        assert_eq!(read[0].payload, wish.events[0].payload);
    }
}

async fn nothing_is_left_open(place: &Place) {
    let sql = place.sql().await;
    if let Either::Postgres(_) = sql.0 {
        let open = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
        until("no transaction is left open", async || sql.count(open).await == 0).await;
    }
}

async fn whoever_drops_an_erasure_leaves_keys_that_go_on(place: Place) {
    let log = place.log().await;
    let mut wishes = vec![];
    for n in 0..40 {
        drop_after(n % 8, log.shred(Uuid::from_u128(n as u128))).await;
        let wish = personal(1_000 + n as u128, Uuid::from_u128(1_000 + n as u128));
        assert!(accepted(&log.append(wish.clone()).await.unwrap()));
        wishes.push(wish);
    }
    let another = place.log().await;
    all_can_be_read(&another, wishes.into_iter()).await;
    nothing_is_left_open(&place).await;
}
