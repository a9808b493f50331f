//! The steps of each kind of job. Each can be begun again: what was done is found in the generations and in what the job has written down.

use std::time::Duration;

use read_store::{
    Generation, Role, Swap,
    jobs::{Kind, Outcome, Phase},
};

use super::{End, JobError, desk::Desk, fill::Which};
use crate::Folds;

/// How long until it is tried again whether a generation may be swapped in, or stands beside another.
const AGAIN: Duration = Duration::from_millis(20);

impl Desk<'_> {
    /// Does what is to be done, from where it was left.
    pub async fn work(&self) -> Result<End, JobError> {
        match self.job.kind {
            Kind::Rebuild => self.rebuild().await,
            Kind::Upgrade => self.upgrade().await,
            Kind::Verify => self.verify().await,
            Kind::Copy => self.copy().await,
        }
    }

    async fn rebuild(&self) -> Result<End, JobError> {
        let verified = self.progress().phase == Phase::Swapping;
        let new = self.filled(Which::First).await?;
        if !verified {
            let second = self.filled(Which::Second).await?;
            self.caught_up(second.generation).await?;
            self.begin(Phase::Comparing, 0).await?;
            let outcome = self.compared(&new, &second).await?;
            if !outcome.differences.is_empty() {
                let error = Some("a second fold of the log has come to other rows: the live ones were left alone".into());
                return Ok(End::Failed(Outcome { error, ..outcome }));
            }
            self.begin(Phase::Swapping, 0).await?;
        }
        self.drop_second().await?;
        let Some(live) = self.live().await? else { return self.swap(&new, Outcome::default()).await };
        let outcome = self.compared(&new, &live).await?;
        if self.job.request.dry_run {
            return Ok(End::Paused(Some(outcome)));
        }
        self.swap(&new, outcome).await
    }

    /// Nobody reads this version yet: what is read is as good as its fold, and there is nothing to compare it with.
    async fn upgrade(&self) -> Result<End, JobError> {
        let new = self.filled(Which::First).await?;
        self.caught_up(new.generation).await?;
        self.begin(Phase::Swapping, 0).await?;
        self.swap(&new, Outcome::default()).await
    }

    async fn verify(&self) -> Result<End, JobError> {
        let second = self.filled(Which::Second).await?;
        self.caught_up(second.generation).await?;
        let live = self.live().await?.ok_or_else(|| JobError::Hopeless("it is not built yet".into()))?;
        self.begin(Phase::Comparing, 0).await?;
        let outcome = self.compared(&second, &live).await?;
        Ok(End::Done(outcome))
    }

    async fn copy(&self) -> Result<End, JobError> {
        let generation = self.made(Which::First).await?;
        let until = self.job.request.until.unwrap_or_default();
        let number = generation.generation;
        if generation.role == Role::Building {
            self.begin(Phase::Folding, 0).await?;
            self.fill(number, &until, Folds::Everything, Which::First).await?;
            self.index(number).await?;
            self.begin(Phase::CatchingUp, 0).await?;
            // Who was deleted since is not in it, either.
            self.fill(number, &self.runner.log.all_heads().await?, Folds::Deletions, Which::First).await?;
            self.runner.store.set_role(self.projection.view(), number, Role::Copy, self.job.request.into.as_deref()).await?;
        }
        let copy = self.find(number).await?;
        self.runner.store.name_copy(&copy).await?;
        self.runner.folding.refresh().await?;
        self.caught_up(number).await?;
        Ok(End::Done(Outcome { tables: copy.copy_names(), ..Outcome::default() }))
    }

    /// The generation that is read.
    async fn live(&self) -> Result<Option<Generation>, JobError> {
        match self.runner.store.live_generation(self.projection.view()).await? {
            Some(number) => self.find(number).await.map(Some),
            None => Ok(None),
        }
    }

    async fn swap(&self, new: &Generation, outcome: Outcome) -> Result<End, JobError> {
        loop {
            match self.runner.store.swap(self.projection.view(), new.generation, self.job.request.force).await? {
                Swap::Done { .. } | Swap::AlreadyLive => {
                    return Ok(End::Done(Outcome { swapped: true, tables: new.table_names(), ..outcome }));
                }
                Swap::Gone => return Err(JobError::Hopeless(format!("its generation {} is not there any more", new.generation))),
                Swap::Behind => tokio::time::sleep(AGAIN).await,
                Swap::Parked(events) => {
                    let error =
                        format!("it has parked {events} events that the live generation has folded: mend and retry them, or force it");
                    return Ok(End::Paused(Some(Outcome { error: Some(error), ..outcome })));
                }
            }
        }
    }
}
