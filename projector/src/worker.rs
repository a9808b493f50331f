//! One worker a partition: it folds a batch into all projections in one transaction, rows and checkpoints together.
//!
//! Checkpoints are compared and set first, so of two workers on one partition the slower one writes nothing. Projections
//! that stand at the same position are folded together; one that fails, or is newer than the others, goes on by itself.

use std::time::{Duration, Instant, SystemTime};

use database::Fault;
use event_log::{Partition, Position, Recorded, trace};
use metrics::{Counter, Gauge, counter, gauge};
use read_store::ReadStore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    FoldError, Source,
    ports::{Feed, Prepared, Rows},
};

/// How many events are folded at once.
const BATCH: usize = 500;
/// The same, far behind: then nobody waits for the next one.
const LARGE: usize = 5_000;
/// How long something that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);
/// How long a worker without work believes that what it has folded is there. Folds are not flushed one by one: a database server that
/// crashes loses the last ones, and nobody tells.
const BELIEVED: Duration = Duration::from_secs(2);

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to fold.
    Idle,
    /// Something was folded, and there may be more.
    Folded,
    /// Something failed and is tried again after a while.
    Blocked,
}

/// Folds one partition.
pub struct Worker<F = Source, R = ReadStore> {
    source: F,
    store: R,
    partition: Partition,
    tracks: Vec<Track>,
    /// Where generations come and go.
    generations: Option<watch::Receiver<Vec<Prepared>>>,
    /// It has been said that a store is away.
    told: bool,
}

/// How one projection gets on.
#[derive(Clone)]
struct Track {
    prepared: Prepared,
    /// `None`: to be looked up.
    position: Option<Position>,
    failed_at: Option<Instant>,
    folded: Counter,
    stopped: Gauge,
}

impl Track {
    fn new(prepared: &Prepared, partition: Partition) -> Self {
        let (name, partition) = (prepared.key().0, partition.number().to_string());
        Self {
            prepared: prepared.clone(),
            position: None,
            failed_at: None,
            folded: counter!("tizza_projection_events_total", "projection" => name),
            stopped: gauge!("tizza_projection_stopped", "projection" => name, "partition" => partition),
        }
    }
}

/// A store does not answer; nothing else can be done meanwhile.
struct Away {
    store: &'static str,
    error: sqlx::Error,
}

impl Away {
    const fn read_store(error: sqlx::Error) -> Self {
        Self { store: "read store", error }
    }
}

/// Runs a worker until `shutdown`.
pub async fn run<F: Feed, R: Rows>(mut worker: Worker<F, R>, shutdown: CancellationToken) {
    let mut heads = worker.source.heads();
    while !shutdown.is_cancelled() {
        heads.mark_unchanged();
        let wait = match worker.step().await {
            Step::Folded => continue,
            Step::Idle => BELIEVED,
            Step::Blocked => RETRY,
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => worker.doubt(),
            changed = heads.changed() => if changed.is_err() { return },
            () = worker.news() => {}
        }
    }
}

impl<F: Feed, R: Rows> Worker<F, R> {
    /// A worker for these projections and generations.
    #[must_use]
    pub fn new(source: F, store: R, partition: Partition, projections: &[Prepared]) -> Self {
        let tracks = projections.iter().map(|prepared| Track::new(prepared, partition)).collect();
        Self { source, store, partition, tracks, generations: None, told: false }
    }

    /// A worker for those generations that there are at any time.
    #[must_use]
    pub fn watching(source: F, store: R, partition: Partition, generations: watch::Receiver<Vec<Prepared>>) -> Self {
        let worker = Self::new(source, store, partition, &generations.borrow());
        Self { generations: Some(generations), ..worker }
    }

    /// Waits until generations come or go.
    async fn news(&mut self) {
        let Some(generations) = &mut self.generations else { return std::future::pending().await };
        if generations.changed().await.is_err() {
            return std::future::pending().await;
        }
        // They are still news to `adopt`.
        generations.mark_changed();
    }

    /// Takes on new generations, and leaves those that are gone.
    fn adopt(&mut self) {
        let Some(generations) = self.generations.as_mut().filter(|generations| generations.has_changed().is_ok_and(|changed| changed))
        else {
            return;
        };
        let now = generations.borrow_and_update().clone();
        self.tracks.retain(|track| now.iter().any(|prepared| prepared.identity() == track.prepared.identity()));
        for prepared in now {
            if !self.tracks.iter().any(|track| track.prepared.identity() == prepared.identity()) {
                self.tracks.push(Track::new(&prepared, self.partition));
            }
        }
    }

    /// Folds one batch: of the projections that are furthest behind, together.
    pub async fn step(&mut self) -> Step {
        match self.try_step().await {
            Ok(step) => {
                self.told = false;
                step
            }
            Err(Away { store, error }) => {
                if !self.told {
                    tracing::warn!(partition = self.partition.number(), %error, "a worker waits for the {store}");
                    self.told = true;
                }
                Step::Blocked
            }
        }
    }

    async fn try_step(&mut self) -> Result<Step, Away> {
        self.adopt();
        self.look_up().await.map_err(Away::read_store)?;
        let head = self.source.heads().borrow()[self.partition.index()];
        let now = self.source.now();
        let waiting = |track: &Track| track.failed_at.is_some_and(|at| now - at < RETRY);
        let behind = |track: &&Track| !waiting(track) && track.position.unwrap_or(0) < head;
        let Some(from) = self.tracks.iter().filter(behind).filter_map(|track| track.position).min() else {
            if self.tracks.iter().any(waiting) {
                return Ok(Step::Blocked);
            }
            // What stood still may have been folded by another worker.
            self.tracks.iter().for_each(|track| track.stopped.set(0.0));
            return Ok(Step::Idle);
        };
        // Those that are ahead are met, not overtaken: from there on all go together.
        let meet = self.tracks.iter().filter_map(|track| track.position).filter(|position| *position > from).min();
        let most = if head - from > LARGE as Position { LARGE } else { BATCH };
        let limit = meet.map_or(most, |meet| most.min((meet - from) as usize));
        let batch = self.source.read(self.partition, from, limit).await.map_err(|error| Away { store: "log", error })?;
        if batch.is_empty() {
            return Ok(Step::Idle);
        }
        let group: Vec<_> =
            (0..self.tracks.len()).filter(|i| self.tracks[*i].position == Some(from) && !waiting(&self.tracks[*i])).collect();
        if self.fold(&group, from, &batch).await? {
            return Ok(Step::Folded);
        }
        let mut folded = false;
        for alone in group {
            folded |= self.fold(&[alone], from, &batch).await?;
        }
        // Those that are ahead of what failed have something to do all the same.
        Ok(if folded || self.tracks.iter().any(|track| behind(&track)) { Step::Folded } else { Step::Blocked })
    }

    /// Folds a batch into some projections, all or none. A failure of one that is alone is told and remembered.
    async fn fold(&mut self, group: &[usize], from: Position, batch: &[Recorded]) -> Result<bool, Away> {
        let to = from + batch.len() as Position;
        let into: Vec<_> = group.iter().map(|i| self.tracks[*i].prepared.clone()).collect();
        // Until it is known how this ends.
        group.iter().for_each(|i| self.tracks[*i].position = None);
        let began = SystemTime::now();
        match self.store.write(&into, self.partition, from, to, batch).await {
            Ok(moved) => {
                if moved {
                    trace::batch("fold", began, batch, |event| self.source.told(event, batch.len()));
                    self.store.folded(&into, self.partition, to);
                    self.source.folded(self.partition, to);
                }
                for i in group {
                    self.tracks[*i].position = moved.then_some(to);
                    self.tracks[*i].failed_at = None;
                    self.tracks[*i].stopped.set(0.0);
                    self.tracks[*i].folded.increment(if moved { batch.len() as u64 } else { 0 });
                }
                Ok(true)
            }
            // What comes before an event of a newer release is folded all the same.
            Err(FoldError::Newer { position, .. }) if group.len() == 1 && position > from + 1 => {
                Box::pin(self.fold(group, from, &batch[..(position - from - 1) as usize])).await
            }
            Err(FoldError::Database(error)) if Fault::of(&error) == Fault::Away => Err(Away::read_store(error)),
            // There is more to do: the same, at once.
            Err(FoldError::Database(error)) if Fault::of(&error) == Fault::Clash => Ok(true),
            Err(error) => {
                if let [alone] = group {
                    let (partition, projection) = (self.partition.number(), into[0].key().0);
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(partition, projection, %error, cause, "a projection stands still");
                    self.tracks[*alone].failed_at = Some(self.source.now());
                    self.tracks[*alone].stopped.set(1.0);
                }
                Ok(false)
            }
        }
    }

    /// Has all positions looked up again.
    pub fn doubt(&mut self) {
        self.tracks.iter_mut().for_each(|track| track.position = None);
    }

    /// Positions that are not known are read: at the start, and after another worker was faster.
    async fn look_up(&mut self) -> Result<(), sqlx::Error> {
        if self.tracks.iter().all(|track| track.position.is_some()) {
            return Ok(());
        }
        let checkpoints = self.store.checkpoints().await?;
        for track in &mut self.tracks {
            let (name, generation) = track.prepared.key();
            let key = (name.to_owned(), generation);
            track.position = Some(checkpoints.get(&key).map_or(0, |positions| positions[self.partition.index()]));
        }
        if self.generations.is_some() {
            // What has no checkpoints was dropped, and the news are on their way.
            self.tracks.retain(|track| checkpoints.contains_key(&(track.prepared.key().0.to_owned(), track.prepared.generation)));
        }
        // Others may have folded it meanwhile.
        if let Some(furthest) = self.tracks.iter().filter_map(|track| track.position).max() {
            self.source.folded(self.partition, furthest);
        }
        Ok(())
    }
}
