//! What is true in the played world.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    ops::AddAssign,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use event_log::{Actor, Heads, Metadata, Partition, Position, Recorded, kafka::producer::Arrivals};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::sync::watch;
use uuid::Uuid;

/// The partitions that are written to: few, so that much meets in them.
pub const USED: usize = 3;
/// Every third event concerns the policy; of these every fifth is refused for good.
pub const CONCERNS: i64 = 3;
pub const REFUSED: i64 = 15;

/// A promise that the world does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Brokers acknowledge records that they have lost.
    LostRecords,
    /// The lease of one who has it is given to another.
    SharedLeases,
    /// Checkpoints are moved without being compared.
    BlindCheckpoints,
    /// A policy's checkpoint is behind what was reacted to, and commands are not known again.
    ForgottenCommands,
    /// The log's pages have holes.
    HolesInTheLog,
}

impl Flaw {
    pub const ALL: [Self; 5] =
        [Self::LostRecords, Self::SharedLeases, Self::BlindCheckpoints, Self::ForgottenCommands, Self::HolesInTheLog];
}

/// How often something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub fn counted(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(what, count)| (*what, *count))
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        other.0.into_iter().for_each(|(what, count)| *self.0.entry(what).or_default() += count);
    }
}

/// A producer's session with the brokers.
pub struct Session {
    pub arrivals: Arrivals,
    /// It was given up; what is on its way may arrive all the same.
    pub is_orphan: bool,
    /// Records on their way to each partition, and those that have arrived without its having been told.
    pub on_their_way: [VecDeque<(Position, Uuid)>; USED],
    pub untold: [VecDeque<Position>; USED],
}

pub struct State {
    pub rng: SmallRng,
    pub flaw: Option<Flaw>,
    pub counts: Counts,
    base: Instant,
    pub now: Duration,
    /// Nothing goes wrong any more.
    pub healed: bool,
    pub database_away: bool,
    pub brokers_away: bool,
    pub log: [Vec<Recorded>; USED],
    pub heads: watch::Sender<Heads>,
    pub relayed: Heads,
    pub leases: BTreeMap<String, (Uuid, i64, Duration)>,
    /// By what name each process takes leases.
    pub owners: BTreeMap<usize, Uuid>,
    pub topic: [Vec<(Position, Uuid)>; USED],
    /// How far a reader of each partition comes who takes the last position + 1, and skips the rest.
    pub held: [Position; USED],
    /// A topic that has lost records may hold less than was told.
    pub has_lost: bool,
    pub sessions: Vec<Session>,
    /// Every fold: projection, generation, partition, from, to.
    pub folds: Vec<(&'static str, i64, usize, Position, Position)>,
    pub seen_through: [Position; USED],
    pub effects: BTreeMap<Uuid, u32>,
    pub parked: BTreeSet<Uuid>,
    /// What must never happen and did.
    pub violation: Option<String>,
    /// What has happened, if somebody wants to know.
    pub told: Option<Vec<String>>,
}

/// The played world; clones share it.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

impl World {
    pub fn new(seed: u64, flaw: Option<Flaw>, told: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: SmallRng::seed_from_u64(seed),
            flaw,
            counts: Counts::default(),
            base: Instant::now(),
            now: Duration::from_secs(1_000),
            healed: false,
            database_away: false,
            brokers_away: false,
            log: Default::default(),
            heads: watch::Sender::default(),
            relayed: Heads::default(),
            leases: BTreeMap::new(),
            owners: BTreeMap::new(),
            topic: Default::default(),
            held: Default::default(),
            has_lost: false,
            sessions: vec![],
            folds: vec![],
            seen_through: Default::default(),
            effects: BTreeMap::new(),
            parked: BTreeSet::new(),
            violation: None,
            told: told.then(Vec::new),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        // A seed that has panicked is not played on.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    pub fn chance(&mut self, in_thousand: u32) -> bool {
        self.rng.random_range(0..1_000) < in_thousand
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counts.0.entry(what).or_default() += 1;
        self.tell(|| what.to_owned());
    }

    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(told) = &mut self.told {
            told.push(format!("{:>9.3} {}", now.as_secs_f64(), what()));
        }
    }

    pub fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(what());
        }
    }

    /// The clock of a process that runs a little too fast or too slow.
    pub fn clock(&self, rate: f64) -> Instant {
        self.base + self.now.mul_f64(rate)
    }

    /// Appends events to the log, as its writers would.
    pub fn append(&mut self) {
        let partition = self.rng.random_range(0..USED);
        for _ in 0..self.rng.random_range(1..=4) {
            let position = self.log[partition].len() as Position + 1;
            let event_id = Uuid::from_u128(self.rng.random());
            self.log[partition].push(event(partition, position, event_id));
        }
        let heads = std::array::from_fn(|partition| self.log.get(partition).map_or(0, |events| events.len() as Position));
        self.heads.send_replace(heads);
        self.tell(|| format!("the log is at {:?}", &heads[..USED]));
    }

    pub fn concerns(event: &Recorded) -> bool {
        event.position % CONCERNS == 0
    }
}

fn event(partition: usize, position: Position, event_id: Uuid) -> Recorded {
    Recorded {
        partition: Partition::all().nth(partition).expect("it is used"),
        position,
        event_id,
        stream_id: event_id,
        version: 1,
        event_type: "SomethingHappened".into(),
        schema_version: 1,
        payload: "{}".into(),
        metadata: Metadata {
            actor: Actor::Anonymous,
            subject_id: None,
            correlation_id: String::new(),
            causation_id: None,
            traceparent: None,
        },
        recorded_at: chrono::DateTime::UNIX_EPOCH,
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}
