//! One job while it is worked on.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use read_store::{
    Generation, Wish,
    jobs::{Job, Phase, Progress, State},
};

use super::{End, JobError, LEASE, Runner, wished};
use crate::Projection;

/// How often it is told how far a job is, and asked what an operator wants of it.
const TELL: Duration = Duration::from_millis(250);

/// A job, and how far it is.
pub struct Desk<'a> {
    pub runner: &'a Runner,
    pub job: &'a Job,
    pub projection: Arc<dyn Projection>,
    progress: Mutex<Progress>,
    phase_began: Mutex<Instant>,
}

impl<'a> Desk<'a> {
    pub fn new(runner: &'a Runner, job: &'a Job, projection: Arc<dyn Projection>) -> Self {
        Self { runner, job, projection, progress: Mutex::new(job.progress.clone()), phase_began: Mutex::new(Instant::now()) }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A phase begins.
    pub async fn begin(&self, phase: Phase, events: i64) -> Result<(), JobError> {
        self.change(|progress| {
            *progress = Progress { phase, events, generation: progress.generation, second: progress.second, ..Progress::none() };
        });
        *self.phase_began.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.tell().await
    }

    /// So many events of so many are folded in this phase, `before` of them before it was resumed.
    pub fn folded(&self, folded: i64, events: i64, before: i64) {
        let took = self.phase_began.lock().unwrap_or_else(PoisonError::into_inner).elapsed().as_secs_f64();
        let rate = (folded - before) as f64 / took.max(0.001);
        let seconds_left = (rate > 0.0).then(|| (events - folded).max(0) as f64 / rate);
        self.change(|progress| {
            *progress = Progress { folded, events, events_per_second: rate.round(), seconds_left, ..progress.clone() };
        });
    }

    /// Which generations it makes.
    pub fn makes(&self, generation: Option<i64>, second: Option<i64>) -> Progress {
        self.change(|progress| (progress.generation, progress.second) = (generation, second));
        self.progress()
    }

    /// Writes down how far it is.
    pub async fn tell(&self) -> Result<(), JobError> {
        self.runner.store.tell_progress(self.job.id, &self.progress()).await?;
        Ok(())
    }

    /// What an operator wants of it.
    pub async fn wanted(&self) -> Result<Option<Wish>, sqlx::Error> {
        self.runner.store.tell_progress(self.job.id, &self.progress()).await
    }

    /// Tells how far it is, and keeps the lease, until an operator wants something else.
    pub async fn report(&self) -> Result<End, JobError> {
        let lease = format!("job:{}", self.job.id);
        loop {
            tokio::time::sleep(TELL).await;
            if let Some(wish) = self.wanted().await? {
                return Ok(wished(wish));
            }
            if self.runner.log.lease(&lease, self.runner.owner, LEASE).await?.is_none() {
                return Ok(End::Lost);
            }
        }
    }

    /// Writes down what came of it, and drops what is of no use any more.
    pub async fn end(&self, end: End) -> Result<(), sqlx::Error> {
        let (state, outcome) = match end {
            End::Lost => return Ok(()),
            End::Done(outcome) => (State::Done, Some(outcome)),
            End::Paused(outcome) => (State::Paused, outcome),
            End::Aborted => (State::Aborted, None),
            End::Failed(outcome) => (State::Failed, Some(outcome)),
        };
        let mut progress = self.progress();
        if state != State::Paused {
            progress = Progress { phase: Phase::Ended, seconds_left: None, ..progress };
            let keep = progress.generation.filter(|_| state == State::Done);
            if let Err(error) = self.drop_all_but(keep).await {
                tracing::warn!(job = %self.job.id, %error, "what it has made is dropped later");
            }
        }
        self.runner.store.end_job(self.job.id, state, &progress, outcome.as_ref()).await?;
        let error = outcome.as_ref().and_then(|outcome| outcome.error.as_deref());
        let (job, kind, projection) = (self.job.id, self.job.kind, &self.job.projection);
        tracing::info!(%job, ?kind, projection, ?state, error, "a job came to its end");
        Ok(())
    }

    /// Drops the generations that it has made, but for one. A live one stays.
    async fn drop_all_but(&self, keep: Option<i64>) -> Result<(), sqlx::Error> {
        let Progress { generation, second, .. } = self.progress();
        let made: Vec<_> = [generation, second].into_iter().flatten().filter(|made| Some(*made) != keep).collect();
        let useless = |known: &Generation| known.projection == self.job.projection && made.contains(&known.generation) && !known.is_live;
        for known in self.runner.store.generations().await?.iter().filter(|known| useless(known)) {
            self.runner.store.drop_generation(known).await?;
        }
        self.runner.folding.refresh().await
    }

    /// Drops the second generation, if there is one.
    pub async fn drop_second(&self) -> Result<(), JobError> {
        if self.progress().second.is_none() {
            return Ok(());
        }
        self.drop_all_but(self.progress().generation).await?;
        self.makes(self.progress().generation, None);
        self.tell().await
    }

    /// One of the generations that there are.
    pub async fn find(&self, number: i64) -> Result<Generation, JobError> {
        let found = self.look_for(number).await?;
        found.ok_or_else(|| JobError::Hopeless(format!("its generation {number} is not there any more")))
    }

    /// The same; it may have been dropped.
    pub async fn look_for(&self, number: i64) -> Result<Option<Generation>, JobError> {
        let known = self.runner.store.generations().await?;
        Ok(known.into_iter().find(|known| known.projection == self.job.projection && known.generation == number))
    }
}
