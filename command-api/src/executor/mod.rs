//! Load → decide → append, and again when somebody was faster.
//!
//! What a decision rests on may come from a cache, so it may be old. An append finds out by itself: everything that was
//! looked at is checked again where the events are written. A rejection and a "nothing to do" append nothing, so before
//! they are answered the versions of all that was looked at are compared, and the decision is repeated if one has moved.
//!
//! A stream's turn ends when its command is queued: the next one is decided on what the log has not confirmed yet, and says so.

mod attempt;
mod cache;
mod decider;
mod in_flight;
mod look;
#[cfg(test)]
mod tests;

use std::time::Duration;

use event_log::{CommandKey, Outcome, Partition, Position, Remembered, Version};
use service_kit::{Problem, Slug, token::ConsistencyToken};
use uuid::Uuid;

use self::attempt::{Attempt, Decision, key_reused};
use crate::{App, origin::Origin};

pub use cache::{Cache, Turns};
pub use decider::{Decider, forward};
pub use in_flight::InFlight;
pub use look::{Known, Look};

/// How often a lost race is run again.
const RETRIES: u32 = 5;

/// A command, and whose stream it is for.
#[derive(Clone, Debug)]
pub struct Intent<A: Decider> {
    /// The command, with all looked-up facts in it.
    pub command: A::Command,
    /// The user that a new stream belongs to: it decides the partition.
    pub subject: Uuid,
}

/// An accepted command.
#[derive(Clone, Debug)]
pub struct Done<A> {
    /// The stream; of a repeated command the one that the first one was about.
    pub stream_id: Uuid,
    /// What was decided on.
    pub before: A,
    /// What came of it; the same, where there was nothing to do.
    pub after: A,
    /// The stream's version now.
    pub version: Version,
    /// A place in the log that includes it.
    pub token: ConsistencyToken,
}

impl App {
    /// Decides a command on a stream and appends what was decided. `prepare` looks up what the decision needs, and is run
    /// again when a race is lost.
    ///
    /// # Errors
    /// The rejection, or 503 when too many races were lost or the log is not available.
    pub async fn execute<A, P, F>(&self, origin: &Origin, stream_id: Uuid, prepare: P) -> Result<Done<A>, Problem>
    where
        A: Decider,
        P: Fn(Look) -> F + Send + Sync,
        F: Future<Output = Result<Intent<A>, Problem>> + Send,
    {
        let key = origin.key(self, stream_id);
        if let Some(done) = self.repeated(key.as_ref()).await? {
            return Ok(done);
        }
        let mut likely = true;
        for attempt in 0..=RETRIES {
            if attempt > 1 {
                tokio::time::sleep(jitter(attempt)).await;
            }
            let turn = self.turns.take(stream_id).await;
            if !likely {
                self.in_flight.landed(stream_id).await;
            }
            let look = Look::new(self, stream_id, likely);
            let decision = match prepare(look.clone()).await {
                Ok(intent) => self.decide(origin, stream_id, intent, &look, key.clone()).await?,
                Err(problem) => Decision::Rejected(problem),
            };
            let outcome = match decision {
                Decision::Append(wish) => self.append(*wish, turn).await?,
                Decision::Rejected(_) | Decision::NothingToDo(_) if look.is_ahead() => Attempt::Lost,
                Decision::Rejected(problem) => Attempt::Rejected(problem),
                Decision::NothingToDo(known) => Attempt::NothingToDo(known),
                Decision::Torn => Attempt::Lost,
            };
            match outcome {
                Attempt::Done(done) => return Ok(done),
                Attempt::Repeated(remembered) => return self.again(remembered).await,
                Attempt::Rejected(problem) if problem.slug.status().is_server_error() => return Err(problem),
                // What refuses it may be what it has done itself, the first time.
                Attempt::Rejected(problem) if look.is_current().await? => return self.repeated(key.as_ref()).await?.ok_or(problem),
                Attempt::NothingToDo(known) if look.is_current().await? => return self.nothing_done(stream_id, known).await,
                Attempt::Rejected(_) | Attempt::NothingToDo(_) => {}
                Attempt::Lost => look.forget(),
            }
            likely = false;
        }
        Err(Problem::new(Slug::Overloaded, "Too many others change the same thing; try again."))
    }

    /// The token of a command that had nothing to do is the partition's head: what made it so is not behind that.
    async fn nothing_done<A: Decider>(&self, stream_id: Uuid, known: Known<A>) -> Result<Done<A>, Problem> {
        let position = self.log.head(known.partition).await?;
        let token = self.token(known.partition, position);
        Ok(Done { stream_id, before: known.state.clone(), after: known.state, version: known.version, token })
    }

    /// What a command that comes with a known key came to the first time.
    ///
    /// # Errors
    /// 422: it was another command.
    pub(crate) async fn repeated<A: Decider>(&self, key: Option<&CommandKey>) -> Result<Option<Done<A>>, Problem> {
        let Some(key) = key else { return Ok(None) };
        match self.log.remembered(key).await? {
            Some(Outcome::Replayed(remembered)) => self.again(remembered).await.map(Some),
            Some(Outcome::KeyReused) => Err(key_reused()),
            Some(_) | None => Ok(None),
        }
    }

    /// The stream as the first command found and left it: a repeat is answered the same.
    async fn again<A: Decider>(&self, remembered: Remembered) -> Result<Done<A>, Problem> {
        let Remembered { stream_id, partition, expected, version, position } = remembered;
        let stored = self.log.stream(stream_id, 0).await?;
        let until = |version: Version| look::load::<A>(&stored[..stored.len().min(version as usize)]);
        let state = |known: Option<Known<A>>| known.map_or_else(A::default, |known| known.state);
        Ok(Done {
            stream_id,
            before: state(until(expected)?),
            after: state(until(version)?),
            version,
            token: self.token(partition, position),
        })
    }

    /// A place in the log, as clients are told it.
    pub(crate) fn token(&self, partition: Partition, position: Position) -> ConsistencyToken {
        ConsistencyToken { epoch: self.log.epochs().current(), partition: partition.number(), position }
    }
}

fn jitter(attempt: u32) -> Duration {
    let random = Uuid::new_v4().as_u128() as u64;
    Duration::from_micros(random % (1_000 << attempt))
}
