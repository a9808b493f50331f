//! From the log to the topic: in order, none missing. A record that comes twice carries the same position.
//!
//! One relay at a time serves a partition, by a lease; several share the partitions evenly and take over from one that dies. A relay sends only while half of its
//! lease is left, counted on its own clock from before it asked, so one that was asleep sends nothing new. What it had handed to the client library before may still go out then; that begins
//! right behind what had arrived, so it repeats and leaves no hole.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `leases` | which partitions are ours, and a fair share of them |
//! | `progress` | what has arrived: told, measured, written down |
//! | `tenure` | where the topic ends when we begin |
//!
//! Whoever begins to serve a partition asks the topic where it ends, and that this end is the log's: a topic that has lost its end is filled up, one that holds another log is refused.

mod leases;
mod progress;
mod tenure;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::counter;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::leases::Lane;
use super::{
    Known, Making, Topic, TopicError,
    ports::{Broker, Ledger, Produce},
};
use crate::{EventLog, Heads, PARTITIONS, Partition};

/// How often it is written down how far the topic is.
const STORE: Duration = Duration::from_millis(200);
/// How many events are read at once.
const PAGE: usize = 500;
/// How many records may be on their way.
const ON_THEIR_WAY: i64 = 20_000;
/// How long until something that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// After so long without an arrival it is said that the broker is away: a frozen one tells nothing by itself.
const SILENCE: Duration = Duration::from_secs(5);

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The topic holds the log, or another relay sees to it.
    Idle,
    /// Something was sent, and there may be more.
    Worked,
    /// Records are on their way.
    Waiting,
    /// Something has to be tried again.
    Blocked,
}

/// From the log to a topic.
pub struct Relay<L = EventLog, B: Broker = Topic> {
    log: L,
    topic: B,
    owner: Uuid,
    lanes: [Lane; PARTITIONS as usize],
    producer: Option<B::Producer>,
    /// The topic was seen to be that of this log.
    examined: bool,
    changed: Arc<Notify>,
    making: Option<Making>,
    known: Known,
    stored: Heads,
    stored_at: Instant,
    asked_at: Option<Instant>,
    moved_at: Instant,
    told: bool,
}

impl<L: Ledger, B: Broker> Relay<L, B> {
    /// One that has done nothing yet. It tells `known` what has arrived.
    #[must_use]
    pub fn new(log: L, topic: B, making: Option<Making>, known: Known) -> Self {
        let now = log.now();
        Self {
            log,
            topic,
            owner: Uuid::now_v7(),
            lanes: Default::default(),
            producer: None,
            examined: false,
            changed: Arc::default(),
            making,
            known,
            stored: Heads::default(),
            stored_at: now,
            asked_at: None,
            moved_at: now,
            told: false,
        }
    }

    /// Relays until `shutdown`; then what is on its way may arrive, and the leases are given back.
    ///
    /// # Errors
    /// The topic is not one of this log, or is not there.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), TopicError> {
        let (mut heads, changed) = (self.log.heads(), self.changed.clone());
        self.measure();
        counter!("tizza_relay_failures_total").absolute(0);
        while !shutdown.is_cancelled() {
            heads.mark_unchanged();
            let wait = match self.step().await {
                Ok(Step::Worked) => Duration::ZERO,
                Ok(Step::Waiting) => STORE,
                Ok(Step::Idle) => SILENCE,
                Ok(Step::Blocked) => RETRY,
                Err(TopicError::Database(error)) => {
                    tracing::warn!(%error, "the relay waits for the log");
                    RETRY
                }
                Err(error) if error.passes() => {
                    self.tell(&error);
                    RETRY
                }
                Err(error) => return Err(error),
            };
            self.measure();
            if wait == RETRY {
                shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await;
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                () = changed.notified() => {}
                changed = heads.changed() => if changed.is_err() { break },
            }
        }
        self.end().await;
        Ok(())
    }

    /// Does what there is to do.
    ///
    /// # Errors
    /// The topic is not one of this log, or a server is away.
    pub async fn step(&mut self) -> Result<Step, TopicError> {
        let heads = *self.log.heads().borrow();
        self.look_at_arrivals(&heads);
        self.write_down().await?;
        if let Some(error) = self.producer.as_ref().and_then(|producer| producer.arrivals().failure()) {
            tracing::warn!(%error, "records did not arrive; they are sent again");
            counter!("tizza_relay_failures_total").increment(1);
            self.begin_anew().await?;
            return Ok(Step::Blocked);
        }
        self.examine().await?;
        self.hold_leases(&heads).await?;
        self.look_at_topic().await?;
        let sent = self.send(&heads).await?;
        Ok(match (sent, self.on_their_way() > 0) {
            (true, _) => Step::Worked,
            (false, true) => Step::Waiting,
            (false, false) if self.behind(&heads).next().is_some() => Step::Waiting,
            (false, false) => Step::Idle,
        })
    }

    /// With another producer, behind what has arrived without a gap; the topic may even have been made anew meanwhile.
    async fn begin_anew(&mut self) -> Result<(), TopicError> {
        self.stored_at -= STORE;
        self.write_down().await?;
        self.lanes.iter_mut().for_each(|lane| lane.sent = None);
        self.producer = None;
        self.examined = false;
        Ok(())
    }

    /// A page of each partition, as long as the leases last and there is room.
    async fn send(&mut self, heads: &Heads) -> Result<bool, TopicError> {
        let Some(producer) = &self.producer else { return Ok(false) };
        let mut worked = false;
        for partition in Partition::all() {
            let lane = self.lanes[partition.index()];
            let (Some(lease), Some(sent)) = (lane.lease, lane.sent) else { continue };
            if sent >= heads[partition.index()] || !lease.may_send(self.log.now()) || self.on_their_way() > ON_THEIR_WAY {
                continue;
            }
            for event in self.log.read_sealed(partition, sent, PAGE).await? {
                if !lease.may_send(self.log.now()) || !producer.send(&event, self.log.epochs()) {
                    break;
                }
                self.lanes[partition.index()].sent = Some(event.position);
                worked = true;
            }
        }
        Ok(worked)
    }

    async fn end(&mut self) {
        let deadline = self.log.now() + SILENCE / 2;
        while self.on_their_way() > 0 && self.log.now() < deadline {
            // Too late is no error: it is sent again by the next one.
            let _ = tokio::time::timeout(STORE, self.changed.notified()).await;
        }
        let all: Vec<_> = Partition::all().collect();
        let ended = async {
            self.stored_at -= STORE;
            self.write_down().await?;
            self.log.release(&[format!("relay/{}/member/{}", self.topic.name(), self.owner)], self.owner).await?;
            self.leave(&all).await
        };
        if let Err(error) = ended.await {
            tracing::debug!(%error, "the leases run out by themselves");
        }
    }
}
