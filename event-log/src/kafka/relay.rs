//! From the log to the topic: in order, none missing. A record that comes twice carries the same position.
//!
//! One relay at a time serves a partition, by a lease; several share the partitions evenly and take over from one that dies. A relay sends only while half of its
//! lease is left, counted on its own clock from before it asked, so one that was asleep sends nothing new. What it had handed to the client library before may still go out then; that begins
//! right behind what had arrived, so it repeats and leaves no hole.
//!
//! Whoever begins to serve a partition asks the topic where it ends, and that this end is the log's: a topic that has lost its end is filled up, one that holds another log is refused.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Arrived, Making, Topic, TopicError, producer::Producer};
use crate::{EventLog, Heads, PARTITIONS, Partition, Position};

/// How long a partition is ours when nothing more is heard of us.
pub const LEASE: Duration = Duration::from_secs(4);
/// How often a lease that is used is renewed.
const RENEW: Duration = Duration::from_secs(1);
/// How often one asks for what another one has.
const ASK: Duration = Duration::from_millis(500);
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
pub struct Relay {
    log: EventLog,
    topic: Topic,
    owner: Uuid,
    lanes: [Lane; PARTITIONS as usize],
    producer: Option<Producer>,
    /// The topic was seen to be that of this log.
    examined: bool,
    changed: Arc<Notify>,
    making: Option<Making>,
    arrived: Arrived,
    stored: Heads,
    stored_at: Instant,
    asked_at: Option<Instant>,
    moved_at: Instant,
    told: bool,
}

/// A partition, as far as it is ours.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    lease: Option<Lease>,
    /// Up to where records were handed over; `None`: to be asked of the topic.
    sent: Option<Position>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    epoch: i64,
    asked_at: Instant,
}

impl Lease {
    fn may_send(self) -> bool {
        self.asked_at.elapsed() < LEASE / 2
    }
}

impl Relay {
    /// One that has done nothing yet. It tells `arrived` what it has done.
    #[must_use]
    pub fn new(log: EventLog, topic: Topic, making: Option<Making>, arrived: Arrived) -> Self {
        let now = Instant::now();
        Self {
            log,
            topic,
            owner: Uuid::now_v7(),
            lanes: Default::default(),
            producer: None,
            examined: false,
            changed: Arc::default(),
            making,
            arrived,
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
                Err(error @ TopicError::Away { .. }) => {
                    self.tell(&error);
                    RETRY
                }
                Err(error) => return Err(error),
            };
            if wait == RETRY {
                shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await;
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                () = changed.notified(), if wait != SILENCE => {}
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
        if let Some(error) = self.producer.as_ref().and_then(|producer| producer.arrivals.failure()) {
            tracing::warn!(%error, "records did not arrive; they are sent again");
            self.begin_anew();
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

    fn arrivals(&self) -> Heads {
        self.producer.as_ref().map_or(self.stored, |producer| producer.arrivals.all())
    }

    fn on_their_way(&self) -> i64 {
        let arrived = self.arrivals();
        self.lanes.iter().zip(arrived).filter_map(|(lane, arrived)| Some(lane.sent? - arrived)).sum()
    }

    /// What the topic is not known to hold.
    fn behind<'a>(&'a self, heads: &'a Heads) -> impl Iterator<Item = Partition> + 'a {
        let known = self.arrived.known();
        Partition::all().filter(move |partition| known[partition.index()] < heads[partition.index()])
    }

    fn look_at_arrivals(&mut self, heads: &Heads) {
        let arrived = self.arrivals();
        let ours = |partition: usize| self.lanes[partition].sent.is_some();
        let known: Heads = std::array::from_fn(|p| if ours(p) { arrived[p].max(self.stored[p]) } else { self.stored[p] });
        let moved = self.arrived.tell(known);
        if moved || self.behind(heads).next().is_none() {
            self.moved_at = Instant::now();
            if std::mem::take(&mut self.told) {
                tracing::info!(topic = self.topic.name(), "records arrive again");
            }
        } else if self.moved_at.elapsed() > SILENCE {
            self.tell(&"records do not arrive");
        }
    }

    fn tell(&mut self, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(topic = self.topic.name(), servers = self.topic.servers(), %error, "Kafka is away; commands go on, events wait in the log");
        }
    }

    /// What others have written down is read, what has arrived here is written down.
    async fn write_down(&mut self) -> Result<(), TopicError> {
        let arrived = self.arrivals();
        let moved = |partition: &Partition| {
            let index = partition.index();
            self.lanes[index].sent.is_some() && arrived[index] > self.stored[index]
        };
        let moved: Vec<_> = Partition::all().filter(moved).map(|partition| (partition, arrived[partition.index()])).collect();
        if moved.is_empty() || (self.on_their_way() > 0 && self.stored_at.elapsed() < STORE) {
            return Ok(());
        }
        self.log.store_relayed(&self.topic, &moved, false).await?;
        self.stored_at = Instant::now();
        for (partition, position) in moved {
            self.stored[partition.index()] = position;
        }
        Ok(())
    }

    /// With another producer, from where the topic ends then: it may have been made anew meanwhile.
    fn begin_anew(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.sent = None);
        self.producer = None;
        self.examined = false;
    }

    /// Once for each producer: whether the topic is one of this log, and holds what it is known to hold. Brokers may have lost it, or somebody has made the topic anew.
    async fn examine(&mut self) -> Result<(), TopicError> {
        if self.examined {
            return Ok(());
        }
        self.topic.ready(self.making).await?;
        let stored = self.log.relayed(&self.topic).await?;
        let ends = self.topic.agreed_ends(&self.log, Partition::all().collect()).await?;
        let end = |partition: Partition| ends.get(&partition).map_or(0, |end| end.position);
        let lost: Vec<_> = Partition::all().map(|p| (p, end(p))).filter(|(p, end)| *end < stored[p.index()]).collect();
        if !lost.is_empty() {
            tracing::warn!(partitions = lost.len(), topic = self.topic.name(), "the topic has lost events; they are sent again");
            self.log.store_relayed(&self.topic, &lost, true).await?;
        }
        self.stored = self.log.relayed(&self.topic).await?;
        self.producer = Some(Producer::new(&self.topic, self.stored, self.changed.clone())?);
        self.examined = true;
        Ok(())
    }

    fn lease_of(&self, partition: Partition) -> String {
        format!("relay/{}/{}", self.topic.name(), partition.number())
    }

    /// Renews what is in use; asks for what waits; leaves what is more than a fair share.
    async fn hold_leases(&mut self, heads: &Heads) -> Result<(), TopicError> {
        let arrived = self.arrivals();
        let is_used = |lane: &Lane, p: usize| lane.sent.is_none_or(|sent| sent < heads[p] || sent > arrived[p]);
        let used = |partition: &Partition| is_used(&self.lanes[partition.index()], partition.index());
        let held = |partition: &Partition| self.lanes[partition.index()].lease.is_some_and(|lease| lease.asked_at.elapsed() < RENEW);
        let mut asked: Vec<_> = Partition::all().filter(|p| heads[p.index()] > 0).filter(used).collect();
        if asked.iter().all(held) {
            return Ok(());
        }
        if self.asked_at.is_some_and(|at| at.elapsed() < ASK) && !asked.iter().any(|p| self.is_ours(*p) && !held(p)) {
            return Ok(());
        }
        // Others may have come further with what is not ours.
        let stored = self.log.relayed(&self.topic).await?;
        for partition in Partition::all() {
            let index = partition.index();
            if self.is_ours(partition) {
                continue;
            }
            self.stored[index] = stored[index];
            if self.lanes[index].sent.is_some_and(|sent| sent < stored[index]) {
                self.lanes[index] = Lane::default();
            }
        }
        asked.retain(|p| self.is_ours(*p) || self.stored[p.index()] < heads[p.index()]);
        if asked.is_empty() {
            self.asked_at = Some(Instant::now());
            return Ok(());
        }
        self.ask(asked).await
    }

    fn is_ours(&self, partition: Partition) -> bool {
        self.lanes[partition.index()].lease.is_some_and(|lease| lease.asked_at.elapsed() < LEASE)
    }

    async fn ask(&mut self, mut asked: Vec<Partition>) -> Result<(), TopicError> {
        let members = format!("relay/{}/member/", self.topic.name());
        let asked_at = Instant::now();
        self.log.lease(&format!("{members}{}", self.owner), self.owner, LEASE).await?;
        let others = self.log.held(&members).await?.max(1);
        let share = usize::from(PARTITIONS).div_ceil(usize::try_from(others).unwrap_or(1));
        asked.sort_by_key(|partition| !self.is_ours(*partition));
        self.leave(&asked.split_off(share.min(asked.len()))).await?;
        let names: Vec<_> = asked.iter().map(|partition| self.lease_of(*partition)).collect();
        let taken: HashMap<String, i64> = self.log.leases(&names, self.owner, LEASE).await?;
        self.asked_at = Some(asked_at);
        for partition in asked {
            let epoch = taken.get(&self.lease_of(partition));
            let lane = &mut self.lanes[partition.index()];
            // Somebody else had it in between: where the topic ends now is not known.
            if lane.lease.map(|lease| lease.epoch) != epoch.copied() {
                lane.sent = None;
            }
            lane.lease = epoch.map(|epoch| Lease { epoch: *epoch, asked_at });
        }
        Ok(())
    }

    /// What is on its way may arrive before another one begins: it would only be sent twice.
    async fn leave(&mut self, partitions: &[Partition]) -> Result<(), TopicError> {
        let leaving: Vec<_> = partitions.iter().filter(|partition| self.is_ours(**partition)).map(|p| self.lease_of(*p)).collect();
        for partition in partitions {
            self.lanes[partition.index()] = Lane::default();
        }
        if leaving.is_empty() { Ok(()) } else { Ok(self.log.release(&leaving, self.owner).await?) }
    }

    /// Where the partitions end that have become ours.
    async fn look_at_topic(&mut self) -> Result<(), TopicError> {
        let new = |partition: &Partition| self.is_ours(*partition) && self.lanes[partition.index()].sent.is_none();
        let new: Vec<_> = Partition::all().filter(new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let ends = self.topic.agreed_ends(&self.log, new.clone()).await?;
        let positions: Vec<_> = new.iter().map(|p| (*p, ends.get(p).map_or(0, |end| end.position))).collect();
        self.log.store_relayed(&self.topic, &positions, true).await?;
        for (partition, position) in positions {
            self.stored[partition.index()] = position;
            self.lanes[partition.index()].sent = Some(position);
            if let Some(producer) = &self.producer {
                producer.arrivals.begin(partition.index(), position);
            }
        }
        Ok(())
    }

    /// A page of each partition, as long as the leases last and there is room.
    async fn send(&mut self, heads: &Heads) -> Result<bool, TopicError> {
        let Some(producer) = &self.producer else { return Ok(false) };
        let mut worked = false;
        for partition in Partition::all() {
            let lane = self.lanes[partition.index()];
            let (Some(lease), Some(sent)) = (lane.lease, lane.sent) else { continue };
            if sent >= heads[partition.index()] || !lease.may_send() || self.on_their_way() > ON_THEIR_WAY {
                continue;
            }
            for event in self.log.read_sealed(partition, sent, PAGE).await? {
                if !lease.may_send() || !producer.send(&event, self.log.epochs()) {
                    break;
                }
                self.lanes[partition.index()].sent = Some(event.position);
                worked = true;
            }
        }
        Ok(worked)
    }

    async fn end(&mut self) {
        let deadline = Instant::now() + SILENCE / 2;
        while self.on_their_way() > 0 && Instant::now() < deadline {
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
