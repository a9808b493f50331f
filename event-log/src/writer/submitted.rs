//! Waiting for what becomes of a wish.

use tokio::sync::oneshot;

use super::Answer;
use crate::{
    AppendError, Outcome,
    figures::outcome,
    trace::{KeyValue, Span},
};

/// A wish that waits to be judged. What becomes of it does not depend on whether anybody waits for it.
#[derive(Debug)]
pub struct Submitted {
    pub(super) answered: oneshot::Receiver<Answer>,
    pub(super) span: Span,
}

impl Submitted {
    /// What became of it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn outcome(mut self) -> Answer {
        let answer = self.answered.await.unwrap_or(Err(AppendError::Closed));
        match answer.as_ref() {
            Ok(Outcome::Appended { position, .. }) => self.span.tell(|| KeyValue::new("tizza.position", *position)),
            other @ Ok(_) => self.span.tell(|| KeyValue::new("tizza.outcome", outcome(other))),
            Err(error) => self.span.fail(error),
        }
        answer
    }
}
