//! Load → decide → append, and again when somebody was faster.
//!
//! What a decision rests on may come from a cache, so it may be old. An append finds out by itself: everything that was
//! looked at is checked again where the events are written. A rejection and a "nothing to do" append nothing, so before
//! they are answered the versions of all that was looked at are compared, and the decision is repeated if one has moved.

mod cache;
mod decider;
mod look;
#[cfg(test)]
mod tests;

use std::time::Duration;

use event_log::{Actor, Append, AppendError, ClaimChange, EPOCH, Metadata, NewEvent, Outcome, Partition, Version};
use events::Vocabulary;
use service_kit::{Problem, Slug, token::ConsistencyToken};
use uuid::Uuid;

use crate::{App, names::NameChange};

pub use cache::{Cache, Turns};
pub use decider::{Decider, forward};
pub use look::{Known, Look};

/// How often a lost race is run again.
const RETRIES: u32 = 5;

/// Who sends a command and what it belongs to.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// The request, or the one that began it all.
    pub correlation_id: String,
    /// The event that a policy reacts to.
    pub causation_id: Option<Uuid>,
}

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
    /// What was decided on.
    pub before: A,
    /// What came of it; the same, where there was nothing to do.
    pub after: A,
    /// The stream's version now.
    pub version: Version,
    /// A place in the log that includes it.
    pub token: ConsistencyToken,
}

enum Attempt<A> {
    Done(Done<A>),
    NothingToDo(Known<A>),
    Rejected(Problem),
    Lost,
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
        let _turn = self.turns.take(stream_id).await;
        for attempt in 0..=RETRIES {
            if attempt > 0 {
                tokio::time::sleep(jitter(attempt)).await;
            }
            let look = Look::new(self);
            let outcome = match prepare(look.clone()).await {
                Ok(intent) => self.attempt(origin, stream_id, intent, &look).await?,
                Err(problem) => Attempt::Rejected(problem),
            };
            match outcome {
                Attempt::Done(done) => return Ok(done),
                Attempt::Rejected(problem) if problem.slug.status().is_server_error() => return Err(problem),
                Attempt::Rejected(problem) if look.is_current().await? => return Err(problem),
                Attempt::NothingToDo(known) if look.is_current().await? => return self.nothing_done(known).await,
                Attempt::Rejected(_) | Attempt::NothingToDo(_) => {}
                Attempt::Lost => look.forget(),
            }
        }
        Err(Problem::new(Slug::Overloaded, "Too many others change the same thing; try again."))
    }

    async fn attempt<A: Decider>(&self, origin: &Origin, stream_id: Uuid, intent: Intent<A>, look: &Look) -> Result<Attempt<A>, Problem> {
        let found = look.find::<A>(stream_id).await?;
        if look.is_torn() {
            return Ok(Attempt::Lost);
        }
        let known = found.unwrap_or_else(|| Known { state: A::default(), version: 0, partition: Partition::of(intent.subject) });
        let events = match known.state.decide(intent.command) {
            Ok(events) if events.is_empty() => return Ok(Attempt::NothingToDo(known)),
            Ok(events) => events,
            Err(error) => return Ok(Attempt::Rejected(error.into())),
        };
        let (append, names, after) = self.wish(origin, stream_id, intent.subject, &known, &events, look);
        match self.log.append(append).await.map_err(not_appended)? {
            Outcome::Appended { version, position } => {
                let partition = known.partition;
                self.cache.put(stream_id, Known { state: after.clone(), version, partition });
                let token = ConsistencyToken { epoch: EPOCH, partition: partition.number(), position };
                Ok(Attempt::Done(Done { before: known.state, after, version, token }))
            }
            Outcome::ClaimTaken(claim) => {
                let name = names.iter().map(NameChange::name).find(|name| self.claim(name) == claim);
                Ok(Attempt::Rejected(name.map_or_else(|| Problem::new(Slug::Conflict, "A name is taken."), |name| name.taken())))
            }
            Outcome::Conflict { .. } | Outcome::Stale(_) => Ok(Attempt::Lost),
            Outcome::AnotherStream => Ok(Attempt::Rejected(Problem::not_found())),
        }
    }

    /// What is sent to the log for `events`: with the names and links that follow from them, one by one.
    fn wish<A: Decider>(
        &self,
        origin: &Origin,
        stream_id: Uuid,
        subject: Uuid,
        known: &Known<A>,
        events: &[A::Event],
        look: &Look,
    ) -> (Append, Vec<NameChange>, A) {
        let (mut names, mut links) = (vec![], vec![]);
        let mut state = known.state.clone();
        for event in events {
            names.extend(state.names(event));
            links.extend(state.links(event));
            state.apply(event.clone());
        }
        let claim = |change: &NameChange| match change {
            NameChange::Take(name) => ClaimChange::Take(self.claim(name)),
            NameChange::GiveBack(name) => ClaimChange::GiveBack(self.claim(name)),
        };
        let append = Append {
            stream_id,
            kind: A::Event::KIND,
            partition: known.partition,
            expected: known.version,
            events: events.iter().map(new_event).collect(),
            metadata: Metadata {
                actor: origin.actor.clone(),
                subject_id: Some(subject),
                correlation_id: origin.correlation_id.clone(),
                causation_id: origin.causation_id,
            },
            reads: look.reads(stream_id),
            claims: names.iter().map(claim).collect(),
            links,
        };
        (append, names, state)
    }

    /// The token of a command that had nothing to do is the partition's head: what made it so is not behind that.
    async fn nothing_done<A: Decider>(&self, known: Known<A>) -> Result<Done<A>, Problem> {
        let position = self.log.head(known.partition).await?;
        let token = ConsistencyToken { epoch: EPOCH, partition: known.partition.number(), position };
        Ok(Done { before: known.state.clone(), after: known.state, version: known.version, token })
    }
}

fn new_event<E: Vocabulary>(event: &E) -> NewEvent {
    let kind = event.kind_of_event();
    NewEvent { event_type: kind.name, schema_version: kind.schema_version, payload: event.encode() }
}

fn not_appended(error: AppendError) -> Problem {
    match error {
        AppendError::Overloaded => Problem::new(Slug::Overloaded, "Too many commands wait; try again."),
        AppendError::Closed | AppendError::Database(_) => Problem::unavailable(error),
        AppendError::TooLarge { .. } | AppendError::Nul { .. } | AppendError::Empty => Problem::internal(error),
    }
}

fn jitter(attempt: u32) -> Duration {
    let random = Uuid::new_v4().as_u128() as u64;
    Duration::from_micros(random % (1_000 << attempt))
}
