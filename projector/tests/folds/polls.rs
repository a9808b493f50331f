//! A crash between any two statements: whoever is in the middle of something is gone, and nothing of it is tidied up.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

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
