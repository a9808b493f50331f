//! Jobs: what operators ask for that takes a while. They are rows of the read store; whoever has a job's lease works on it, and after a crash
//! another goes on.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `desk` | one job while it is worked on: how far it is, and what an operator wants of it |
//! | `work` | the steps of each kind of job |
//! | `fill` | a generation's way from nothing to where the workers are |
//! | `cleanup` | taking away what is of no use any more |
//! | `compare` | generations that stand at the same place, compared row by row |

mod cleanup;
mod compare;
mod desk;
mod fill;
mod work;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use database::Fault;
use event_log::EventLog;
use read_store::{
    ReadStore, Wish,
    jobs::{Outcome, State},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{FoldError, Folding, Projection, bulk::BuildError, projections};
pub use cleanup::cleanup;
use desk::Desk;

/// How often it is looked for jobs that somebody else was asked for, or has left.
const LOOK: Duration = Duration::from_secs(1);
/// For how long a job belongs to who took it: after a crash another waits so long.
const LEASE: Duration = Duration::from_secs(10);

/// How often what is of no use any more is taken away.
const TIDY: Duration = Duration::from_mins(10);
/// How long a generation that was live can be had back.
pub const KEPT: Duration = Duration::from_hours(24);

/// Works on jobs, one at a time.
#[derive(Clone)]
pub struct Runner {
    log: EventLog,
    store: ReadStore,
    folding: Folding,
    asked: Arc<Notify>,
    owner: Uuid,
}

/// How working on a job came to an end.
enum End {
    Done(Outcome),
    /// An operator is to look at it, or wants it so.
    Paused(Option<Outcome>),
    Aborted,
    /// It cannot be done; nothing that is live was touched.
    Failed(Outcome),
    /// Somebody else works on it now.
    Lost,
}

/// Why a job could not go on.
#[derive(Debug, thiserror::Error)]
enum JobError {
    /// It is tried again.
    #[error("a database failed")]
    Database(#[from] sqlx::Error),
    /// Trying again does not help.
    #[error("{0}")]
    Hopeless(String),
}

impl From<BuildError> for JobError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Fold(FoldError::Database(error)) | BuildError::NoRoom(error) => error.into(),
            error @ BuildError::Fold(_) => Self::Hopeless(told(&error)),
        }
    }
}

impl JobError {
    /// What is asked for again by itself.
    fn passes(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(Fault::of(error), Fault::Away | Fault::Clash))
    }
}

impl Runner {
    /// Somebody who works on jobs.
    #[must_use]
    pub fn new(log: EventLog, store: ReadStore, folding: Folding, asked: Arc<Notify>) -> Self {
        Self { log, store, folding, asked, owner: Uuid::now_v7() }
    }

    /// Works until `shutdown`. What is not done then goes on after the next start.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut tidied = Instant::now();
        while !shutdown.is_cancelled() {
            if tidied.elapsed() > TIDY {
                tidied = Instant::now();
                self.tidy().await;
            }
            match shutdown.run_until_cancelled(self.step()).await {
                Some(Ok(true)) => continue,
                Some(Ok(false)) | None => {}
                Some(Err(error)) => tracing::warn!(%error, "jobs wait for a database"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.asked.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn tidy(&self) {
        if let Err(error) = cleanup(&self.store, KEPT, &[]).await {
            tracing::warn!(%error, "what is of no use any more could not be dropped");
        }
    }

    /// Works on the oldest job that nobody else works on, as far as it goes; `false`: there is none.
    ///
    /// # Errors
    /// A database failed; the job is tried again.
    pub async fn step(&self) -> Result<bool, sqlx::Error> {
        for job in self.store.jobs_to_do().await? {
            let own =
                |projection: &Arc<dyn Projection>| projection.view().name == job.projection && projection.view().version == job.version;
            let Some(projection) = projections().into_iter().find(own) else { continue };
            let lease = format!("job:{}", job.id);
            if self.log.lease(&lease, self.owner, LEASE).await?.is_none() {
                continue;
            }
            let done = self.work_on(job.id, projection).await;
            self.log.release(&[lease], self.owner).await?;
            self.folding.refresh().await?;
            return done.map(|()| true);
        }
        Ok(false)
    }

    async fn work_on(&self, id: Uuid, projection: Arc<dyn Projection>) -> Result<(), sqlx::Error> {
        let (job, wish) = self.store.take_job(id).await?;
        if !matches!((job.state, wish), (State::Running, _) | (State::Paused, Some(Wish::Abort))) {
            return Ok(());
        }
        let desk = Desk::new(self, &job, projection);
        let end = match wish {
            Some(wish) => Ok(wished(wish)),
            None => tokio::select! {
                end = desk.work() => end,
                end = desk.report() => end,
            },
        };
        let end = match end {
            Ok(end) => end,
            Err(error) if error.passes() => {
                tracing::warn!(job = %job.id, error = &error as &dyn std::error::Error, "a job is tried again");
                tokio::time::sleep(LOOK).await;
                return Ok(());
            }
            Err(JobError::Database(error)) if Fault::is_no_room(&error) => End::Failed(no_room()),
            Err(error) => End::Failed(Outcome { error: Some(told(&error)), ..Outcome::default() }),
        };
        desk.end(end).await
    }
}

fn wished(wish: Wish) -> End {
    match wish {
        Wish::Pause => End::Paused(None),
        Wish::Abort => End::Aborted,
    }
}

fn no_room() -> Outcome {
    Outcome {
        error: Some("there is no room on the disk: what was built is dropped, and what is live was left alone".into()),
        ..Outcome::default()
    }
}

/// An error and its causes; none of them has a value of a row or an event in it.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
