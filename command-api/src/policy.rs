//! Reacting to events with commands: how the effects of one stream reach another.
//!
//! A policy follows the log, whether there is a broker or not. Delivery is at least once; its commands
//! are known by the event's id when they come again. It takes a partition's lease only when there is something to do, so that an idle
//! Tizza writes nothing. A command that is refused for good parks the event, and the policy goes on behind it.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use chrono::Utc;
use event_log::{
    Actor, Partition, Position, Recorded,
    trace::{Span, SpanKind},
};
use events::Event;
use metrics::{Counter, counter};
use service_kit::Problem;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    App,
    origin::{Condition, Origin, Repeat},
    pizzas, pizzerias, users,
};

/// How long a partition is ours; a crashed owner's work is taken over after that.
const LEASE: Duration = Duration::from_secs(5);
/// How long to wait before something that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long after a look at nothing but others' events comes the next: a busy log is not looked at once a batch.
const PAUSE: Duration = Duration::from_millis(10);
/// How many events are read at once.
const PAGE: usize = 256;
/// After how many events that are no concern of the policy its position is written down all the same.
const WRITE_DOWN: Position = 10_000;

/// All policies, by their names.
pub const NAMES: [&str; 3] =
    [users::policy::EndSessions::NAME, pizzerias::policy::CloseOfDeleted::NAME, pizzas::policy::DeleteOfClosed::NAME];

/// What is done about some events.
pub trait Policy: Send + Sync + 'static {
    /// As operators call it; part of its checkpoints.
    const NAME: &'static str;
    /// The types of event it reacts to.
    const TYPES: &'static [&'static str];

    /// Does it. May be run again for the same event.
    fn react(&self, app: &App, origin: &Origin, event: Event, recorded: &Recorded) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    /// Something was done, and there may be more.
    Worked,
    /// Something has to wait: another instance is at it, or a store is away.
    Blocked,
}

/// Runs one policy.
pub struct Worker<P> {
    app: App,
    policy: P,
    owner: Uuid,
    /// How far each partition is seen through; `None` until it was looked up.
    positions: Vec<Option<Position>>,
    written: Vec<Position>,
    attempts: Attempts,
}

/// What became of reactions.
struct Attempts {
    done: Counter,
    retried: Counter,
    parked: Counter,
}

impl Attempts {
    fn of(policy: &'static str) -> Self {
        let counted = |outcome: &'static str| counter!("tizza_policy_attempts_total", "policy" => policy, "outcome" => outcome);
        Self { done: counted("done"), retried: counted("retried"), parked: counted("parked") }
    }
}

/// Runs a policy until `shutdown`.
pub async fn run<P: Policy>(app: App, policy: P, shutdown: CancellationToken) {
    let mut heads = app.log.heads();
    let mut worker = Worker::new(app, policy);
    while !shutdown.is_cancelled() {
        heads.mark_unchanged();
        let looked = Instant::now();
        let wait = match worker.step().await {
            Ok(Step::Worked) => continue,
            Ok(Step::Idle) => None,
            Ok(Step::Blocked) => Some(RETRY),
            Err(error) => {
                tracing::warn!(policy = P::NAME, %error, "a policy waits for the log");
                Some(RETRY)
            }
        };
        let next = async {
            if let Some(wait) = wait {
                return tokio::time::sleep(wait).await;
            }
            // The log, and with it the sender, lives as long as the worker.
            let _ = heads.changed().await;
            tokio::time::sleep(PAUSE.saturating_sub(looked.elapsed())).await;
        };
        shutdown.run_until_cancelled(next).await;
    }
}

impl<P: Policy> Worker<P> {
    /// A worker that has done nothing yet.
    #[must_use]
    pub fn new(app: App, policy: P) -> Self {
        let partitions = Partition::all().count();
        let attempts = Attempts::of(P::NAME);
        Self { app, policy, owner: Uuid::now_v7(), positions: vec![None; partitions], written: vec![0; partitions], attempts }
    }

    /// Does what there is to do, a page of each partition at the most.
    ///
    /// # Errors
    /// The log's database failed; nothing is lost.
    pub async fn step(&mut self) -> Result<Step, sqlx::Error> {
        let heads = *self.app.log.heads().borrow();
        let mut step = Step::Idle;
        for partition in Partition::all() {
            step = match (self.partition(partition, heads[partition.index()]).await?, step) {
                (Step::Worked, _) | (_, Step::Worked) => Step::Worked,
                (Step::Blocked, _) | (_, Step::Blocked) => Step::Blocked,
                (Step::Idle, Step::Idle) => Step::Idle,
            };
        }
        Ok(step)
    }

    async fn partition(&mut self, partition: Partition, head: Position) -> Result<Step, sqlx::Error> {
        let log = self.app.log.clone();
        let index = partition.index();
        let position = match self.positions[index] {
            Some(position) => position,
            None => self.look_up(partition).await?,
        };
        if position >= head {
            return Ok(Step::Idle);
        }
        let events = log.read_types(partition, position, head, P::TYPES, PAGE).await?;
        let Some(last) = events.last() else {
            self.positions[index] = Some(head);
            if head - self.written[index] >= WRITE_DOWN {
                log.policy_done(P::NAME, partition, head).await?;
                self.written[index] = head;
            }
            return Ok(Step::Idle);
        };
        let last = last.position;
        let lease = format!("policy/{}/{}", P::NAME, partition.number());
        if log.lease(&lease, self.owner, LEASE).await?.is_none() {
            return Ok(Step::Blocked);
        }
        // Whoever had the lease before may have come further.
        self.look_up(partition).await?;
        let step = self.work(partition, &lease, events).await;
        log.release(&[lease], self.owner).await?;
        if matches!(step, Ok(Step::Worked)) {
            self.positions[index] = Some(last.max(self.positions[index].unwrap_or(0)));
        }
        step
    }

    async fn look_up(&mut self, partition: Partition) -> Result<Position, sqlx::Error> {
        let index = partition.index();
        let found = self.app.log.policy_position(P::NAME, partition).await?;
        self.written[index] = found;
        let position = found.max(self.positions[index].unwrap_or(0));
        self.positions[index] = Some(position);
        Ok(position)
    }

    async fn work(&mut self, partition: Partition, lease: &str, events: Vec<Recorded>) -> Result<Step, sqlx::Error> {
        let log = self.app.log.clone();
        let index = partition.index();
        let mut renewed = Instant::now();
        for event in events {
            if self.positions[index].is_some_and(|position| event.position <= position) {
                continue;
            }
            if renewed.elapsed() > LEASE / 2 {
                let before = Instant::now();
                if log.lease(lease, self.owner, LEASE).await?.is_none() {
                    return Ok(Step::Blocked);
                }
                renewed = before;
            }
            let reaction = self.react(&event).await;
            if let Err(problem) = &reaction {
                if problem.slug.status().is_server_error() {
                    tracing::warn!(policy = P::NAME, partition = partition.number(), position = event.position, detail = %problem.detail, "a policy tries again later");
                    self.attempts.retried.increment(1);
                    return Ok(Step::Blocked);
                }
                tracing::error!(policy = P::NAME, partition = partition.number(), position = event.position, detail = %problem.detail, "an event is parked");
                log.policy_park(P::NAME, &event, &problem.detail, Utc::now()).await?;
            }
            if reaction.is_ok() {
                self.attempts.done.increment(1)
            } else {
                self.attempts.parked.increment(1)
            }
            log.policy_done(P::NAME, partition, event.position).await?;
            self.positions[index] = Some(event.position);
            self.written[index] = event.position;
        }
        Ok(Step::Worked)
    }

    async fn react(&self, recorded: &Recorded) -> Result<(), Problem> {
        let event = match Event::decode(&recorded.event_type, recorded.schema_version, &recorded.payload) {
            Ok(event) => event,
            Err(error @ events::DecodeError::Newer { .. }) => return Err(Problem::unavailable(error)),
            Err(error) => return Err(Problem::new(service_kit::Slug::Malformed, error.to_string())),
        };
        let mut span = Span::begin(P::NAME, SpanKind::Internal, recorded.metadata.traceparent, Vec::new);
        let origin = Origin {
            actor: Actor::System(P::NAME.into()),
            correlation_id: recorded.metadata.correlation_id.clone(),
            causation_id: Some(recorded.event_id),
            traceparent: span.context(),
            repeat: Repeat::Reaction { policy: P::NAME, event_id: recorded.event_id },
            condition: Condition::None,
        };
        self.policy.react(&self.app, &origin, event, recorded).await.inspect_err(|problem| span.fail(&problem.detail))
    }
}
