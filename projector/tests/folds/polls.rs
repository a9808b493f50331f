//! A crash between any two statements: whoever is in the middle of something is gone, and nothing of it is tidied up.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// Tries something that is dropped after one poll, after two, and so on until it is done by then; and again, for how many statements are
/// done in a poll is up to the database and to who else is busy.
pub async fn dropped_after_each_poll(mut is_done: impl AsyncFnMut(usize) -> bool) {
    let (mut dropped, mut polls) = (0, 1);
    for _ in 0..1_000 {
        let done = is_done(polls).await;
        dropped += usize::from(!done);
        if done && dropped >= 40 {
            return;
        }
        polls = if done { 1 } else { polls + 1 };
    }
    panic!("it is done at last, and dropped forty times before: {dropped}");
}

/// Polls a future so often, and drops it; `Some`: it was done by then. A transaction that it had open is rolled back.
pub async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), times);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            // Nothing else would ask again.
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
            Poll::Ready(done) => Poll::Ready(Some(done)),
        }
    })
    .await
}
