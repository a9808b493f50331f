//! Reacting to events with commands: how the effects of one stream reach another.
//!
//! A policy follows the log, whether there is a broker or not. Delivery is at least once; its commands
//! are known by the event's id when they come again. It takes a partition's lease only when there is something to do, so that an idle
//! Tizza writes nothing. A command that is refused for good parks the event, and the policy goes on behind it.

mod desk;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use event_log::{Partition, Position, Recorded};
use events::Event;
use metrics::{Counter, counter};
use service_kit::Problem;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{App, origin::Origin, pizzas, pizzerias, users};
use desk::Acting;
pub use desk::Desk;

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
pub struct Worker<D> {
    desk: D,
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
    let mut worker = Worker::new(Acting { app, policy });
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

impl<D: Desk> Worker<D> {
    /// A worker that has done nothing yet.
    #[must_use]
    pub fn new(desk: D) -> Self {
        let partitions = Partition::all().count();
        let attempts = Attempts::of(D::NAME);
        Self { desk, owner: Uuid::now_v7(), positions: vec![None; partitions], written: vec![0; partitions], attempts }
    }

    /// Does what there is to do, a page of each partition at the most.
    ///
    /// # Errors
    /// The log's database failed; nothing is lost.
    pub async fn step(&mut self) -> Result<Step, sqlx::Error> {
        let heads = *self.desk.heads().borrow();
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
        let index = partition.index();
        let position = match self.positions[index] {
            Some(position) => position,
            None => self.look_up(partition).await?,
        };
        if position >= head {
            return Ok(Step::Idle);
        }
        let events = self.desk.read(partition, position, head, PAGE).await?;
        let Some(last) = events.last() else {
            self.positions[index] = Some(head);
            if head - self.written[index] >= WRITE_DOWN {
                self.desk.done(partition, head).await?;
                self.written[index] = head;
            }
            return Ok(Step::Idle);
        };
        let last = last.position;
        let lease = format!("policy/{}/{}", D::NAME, partition.number());
        if !self.desk.lease(&lease, self.owner, LEASE).await? {
            return Ok(Step::Blocked);
        }
        // Whoever had the lease before may have come further.
        self.look_up(partition).await?;
        let step = self.work(partition, &lease, events).await;
        self.desk.release(lease, self.owner).await?;
        if matches!(step, Ok(Step::Worked)) {
            self.positions[index] = Some(last.max(self.positions[index].unwrap_or(0)));
        }
        step
    }

    async fn look_up(&mut self, partition: Partition) -> Result<Position, sqlx::Error> {
        let index = partition.index();
        let found = self.desk.position(partition).await?;
        self.written[index] = found;
        let position = found.max(self.positions[index].unwrap_or(0));
        self.positions[index] = Some(position);
        Ok(position)
    }

    async fn work(&mut self, partition: Partition, lease: &str, events: Vec<Recorded>) -> Result<Step, sqlx::Error> {
        let index = partition.index();
        let mut renewed = self.desk.now();
        for event in events {
            if self.positions[index].is_some_and(|position| event.position <= position) {
                continue;
            }
            let now = self.desk.now();
            if now - renewed > LEASE / 2 {
                if !self.desk.lease(lease, self.owner, LEASE).await? {
                    return Ok(Step::Blocked);
                }
                renewed = now;
            }
            let reaction = self.desk.react(&event).await;
            if let Err(problem) = &reaction {
                if problem.slug.status().is_server_error() {
                    tracing::warn!(policy = D::NAME, partition = partition.number(), position = event.position, detail = %problem.detail, "a policy tries again later");
                    self.attempts.retried.increment(1);
                    return Ok(Step::Blocked);
                }
                tracing::error!(policy = D::NAME, partition = partition.number(), position = event.position, detail = %problem.detail, "an event is parked");
                self.desk.park(&event, &problem.detail).await?;
            }
            if reaction.is_ok() {
                self.attempts.done.increment(1)
            } else {
                self.attempts.parked.increment(1)
            }
            self.desk.done(partition, event.position).await?;
            self.positions[index] = Some(event.position);
            self.written[index] = event.position;
        }
        Ok(Step::Worked)
    }
}
