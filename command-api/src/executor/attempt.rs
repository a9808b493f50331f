//! One try: decide, queue, and see what became of it.

use event_log::{Append, AppendError, CommandKey, Metadata, NewEvent, Outcome, Partition, Remembered};
use events::Vocabulary;
use service_kit::{Problem, Slug};
use tokio::sync::MutexGuard;
use uuid::Uuid;

use super::{Decider, Done, Intent, Known, Look, in_flight::Flight};
use crate::{App, names::NameChange, origin::Origin};

/// What is to be done about a command.
pub enum Decision<A> {
    Append(Box<Wish<A>>),
    NothingToDo(Known<A>),
    Rejected(Problem),
    /// A stream moved while it was looked at.
    Torn,
}

/// What became of it.
pub enum Attempt<A> {
    Done(Done<A>),
    Repeated(Remembered),
    NothingToDo(Known<A>),
    Rejected(Problem),
    Lost,
}

/// Events that were decided on.
pub struct Wish<A> {
    append: Append,
    names: Vec<NameChange>,
    before: A,
    after: A,
}

impl App {
    pub(super) async fn decide<A: Decider>(
        &self,
        origin: &Origin,
        stream_id: Uuid,
        intent: Intent<A>,
        look: &Look,
        key: Option<CommandKey>,
    ) -> Result<Decision<A>, Problem> {
        let found = look.find::<A>(stream_id).await?;
        if look.is_torn() {
            return Ok(Decision::Torn);
        }
        let known = found.unwrap_or_else(|| Known { state: A::default(), version: 0, partition: Partition::of(intent.subject) });
        let decided = origin.condition.check(known.version).and_then(|()| known.state.decide(intent.command).map_err(Into::into));
        Ok(match decided {
            // That there was nothing to do is remembered, too.
            Ok(events) if events.is_empty() && key.is_none() => Decision::NothingToDo(known),
            Ok(events) => Decision::Append(Box::new(self.wish(origin, stream_id, intent.subject, known, events, look, key))),
            Err(problem) => Decision::Rejected(problem),
        })
    }

    /// What is sent to the log for `events`: with the names and links that follow from them, one by one.
    #[expect(clippy::too_many_arguments, reason = "all of it goes into one struct")]
    fn wish<A: Decider>(
        &self,
        origin: &Origin,
        stream_id: Uuid,
        subject: Uuid,
        known: Known<A>,
        events: Vec<A::Event>,
        look: &Look,
        key: Option<CommandKey>,
    ) -> Wish<A> {
        let (mut names, mut links) = (vec![], vec![]);
        let new = events.iter().map(new_event).collect();
        let mut after = known.state.clone();
        for event in events {
            names.extend(after.names(&event));
            links.extend(after.links(&event));
            after.apply(event);
        }
        let append = Append {
            stream_id,
            kind: A::Event::KIND,
            partition: known.partition,
            expected: known.version,
            after: look.ahead(),
            events: new,
            metadata: Metadata {
                actor: origin.actor.clone(),
                subject_id: Some(subject),
                correlation_id: origin.correlation_id.clone(),
                causation_id: origin.causation_id,
                traceparent: origin.traceparent,
            },
            reads: look.reads(stream_id),
            claims: names.iter().map(|change| self.claim_change(change)).collect(),
            links,
            key,
        };
        Wish { append, names, before: known.state, after }
    }

    /// Queues a wish, lets the next command on the stream have its turn, and waits.
    pub(super) async fn append<A: Decider>(&self, wish: Wish<A>, turn: MutexGuard<'_, ()>) -> Result<Attempt<A>, Problem> {
        let Wish { append, names, before, after } = wish;
        let Append { stream_id, partition, expected, .. } = append;
        let last = append.events.last().map(|event| event.event_id);
        let version = expected + append.events.len() as i64;
        let submitted = self.log.submit(append).await.map_err(not_appended)?;
        let leads_to = || Known { state: after.clone(), version, partition };
        let flight = last.map(|event_id| self.in_flight.put(stream_id, leads_to(), event_id));
        drop(turn);
        Ok(match submitted.outcome().await.map_err(not_appended)? {
            Outcome::Appended { version, position } => {
                if let Some(flight) = flight {
                    self.cache.put(stream_id, leads_to());
                    Flight::succeeded(flight);
                }
                Attempt::Done(Done { stream_id, before, after, version, token: self.token(partition, position) })
            }
            Outcome::Replayed(remembered) => Attempt::Repeated(remembered),
            Outcome::KeyReused => return Err(key_reused()),
            Outcome::ClaimTaken(claim) => {
                let name = names.iter().map(NameChange::name).find(|name| self.claim(name) == claim);
                Attempt::Rejected(name.map_or_else(|| Problem::new(Slug::Conflict, "A name is taken."), |name| name.taken()))
            }
            Outcome::Conflict { .. } | Outcome::Stale(_) => Attempt::Lost,
            Outcome::AnotherStream => Attempt::Rejected(Problem::not_found()),
        })
    }
}

pub fn key_reused() -> Problem {
    Problem::new(Slug::IdempotencyKeyReused, "Another command was sent under this Idempotency-Key.")
}

fn new_event<E: Vocabulary>(event: &E) -> NewEvent {
    let kind = event.kind_of_event();
    NewEvent { event_id: Uuid::now_v7(), event_type: kind.name, schema_version: kind.schema_version, payload: event.encode() }
}

fn not_appended(error: AppendError) -> Problem {
    match error {
        AppendError::Overloaded => Problem::new(Slug::Overloaded, "Too many commands wait; try again."),
        AppendError::Closed | AppendError::Database(_) => Problem::unavailable(error),
        AppendError::Erased { .. } => Problem::not_found(),
        AppendError::TooLarge { .. }
        | AppendError::Nul { .. }
        | AppendError::Empty
        | AppendError::NoSubject { .. }
        | AppendError::Refused(_) => Problem::internal(error),
    }
}
