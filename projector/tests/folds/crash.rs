//! A process that ends between any two statements.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// Runs a future until it has been polled so often, and drops it then, with all that it had begun: each statement is at least one poll.
/// `None`: it did not come to its end.
pub async fn ended_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
