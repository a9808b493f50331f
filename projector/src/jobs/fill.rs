//! A generation's way from nothing to where the workers are.

use std::time::Duration;

use event_log::Heads;
use read_store::{Generation, ReadStore, Role, jobs::Phase};

use super::{JobError, desk::Desk};
use crate::{
    Folds, Prepared,
    bulk::{self, How, Moved},
};

/// As many events are left to workers: they fold them between two batches of their own.
const LEFT: i64 = 2_000;
/// How often it is looked how far the workers are.
const LOOK: Duration = Duration::from_millis(20);

/// Which of the two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that is to be read.
    First,
    /// The one that it is verified against: its batches end elsewhere, and nobody looks rows up in it.
    Second,
}

impl Which {
    fn how(self, store: &ReadStore) -> How {
        match self {
            Self::First => How::first(store),
            Self::Second => How::second(store),
        }
    }
}

impl Desk<'_> {
    /// The generation, made if it is not there yet, with all that has happened, folded by the workers from here on.
    pub async fn filled(&self, which: Which) -> Result<Generation, JobError> {
        let generation = self.made(which).await?;
        let number = generation.generation;
        if generation.role == Role::Building {
            let phase = if which == Which::First { Phase::Folding } else { Phase::Verifying };
            self.begin(phase, 0).await?;
            let mut folded = Heads::default();
            loop {
                let heads = self.runner.log.all_heads().await?;
                if left(&heads, &folded) <= LEFT && folded != Heads::default() {
                    break;
                }
                self.fill(number, &heads, Folds::Everything, which).await?;
                folded = heads;
                if which == Which::First {
                    self.index(number).await?;
                }
            }
            self.runner.store.set_role(self.projection.view(), number, Role::Folded, None).await?;
        }
        self.runner.folding.refresh().await?;
        self.find(number).await
    }

    /// The generation as it is; made, if it is not there.
    pub async fn made(&self, which: Which) -> Result<Generation, JobError> {
        let progress = self.progress();
        let known = if which == Which::First { progress.generation } else { progress.second };
        if let Some(known) = known
            && let Some(known) = self.look_for(known).await?
            && known.role != Role::Astray
        {
            return Ok(known);
        }
        let made = |number| match which {
            Which::First => self.makes(Some(number), None),
            Which::Second => self.makes(self.progress().generation, Some(number)),
        };
        let tables = self.projection.tables();
        let number = self.runner.store.begin_building(self.projection.view(), &tables, self.job.id, made).await?;
        self.find(number).await
    }

    /// Folds the log into a generation that nobody else folds, up to some place.
    pub async fn fill(&self, number: i64, until: &Heads, folds: Folds, which: Which) -> Result<(), JobError> {
        let (log, store) = (&self.runner.log, &self.runner.store);
        let target = Prepared { projection: self.projection.clone(), generation: number, folds };
        let start = store.checkpoints().await?.remove(&(self.job.projection.clone(), number)).unwrap_or_default();
        let (before, events) = (start.iter().sum::<i64>(), until.iter().sum());
        let mut done = before;
        let told = |moved: Moved| {
            done += moved.to - moved.from;
            self.folded(done, events, before);
        };
        Ok(bulk::build(log, store, &target, until, which.how(store), told).await?)
    }

    /// Makes the indexes that readers need; those that are there stay.
    pub async fn index(&self, number: i64) -> Result<(), JobError> {
        self.begin(Phase::Indexing, 0).await?;
        Ok(bulk::index(&self.runner.store, &Prepared::new(self.projection.clone(), number)).await?)
    }

    /// Waits until a generation has folded all that the live one has, or if there is none all that there was when it was asked.
    pub async fn caught_up(&self, number: i64) -> Result<(), JobError> {
        let heads = self.runner.log.all_heads().await?;
        self.begin(Phase::CatchingUp, heads.iter().sum()).await?;
        let live = self.runner.store.live_generation(self.projection.view()).await?;
        let key = |number| (self.job.projection.clone(), number);
        let mut before = None;
        loop {
            let mut found = self.runner.store.checkpoints().await?;
            let aim = live.and_then(|live| found.get(&key(live)).copied()).unwrap_or(heads);
            let Some(found) = found.remove(&key(number)) else {
                return Err(JobError::Hopeless(format!("its generation {number} is not there any more")));
            };
            if (0..aim.len()).all(|partition| found[partition] >= aim[partition]) {
                return Ok(());
            }
            let folded = found.iter().sum();
            self.folded(folded, aim.iter().sum(), *before.get_or_insert(folded));
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn left(heads: &Heads, folded: &Heads) -> i64 {
    heads.iter().zip(folded).map(|(head, folded)| head - folded).sum()
}
