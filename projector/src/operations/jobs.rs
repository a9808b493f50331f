//! What takes a while: asked for, looked at, paused, resumed, dropped. And what is dropped at once.

use std::time::Duration;

use read_store::{
    Wish,
    jobs::{Job, Kind, Request, State},
};
use serde_json::json;
use uuid::Uuid;

use super::{By, Cleaned, OperationError, Operations, until::until};
use crate::jobs::cleanup;

/// What is to be rebuilt, verified or copied.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Which projection.
    pub projection: String,
    /// Stop before the swap.
    pub dry_run: bool,
    /// Swap whatever is parked.
    pub force: bool,
    /// A copy: as it was then.
    pub until: Option<String>,
    /// A copy: its name.
    pub into: Option<String>,
}

impl Operations {
    /// Asks for a rebuild, or for a copy where a moment is named.
    ///
    /// # Errors
    /// What is wanted cannot be, or another job is in the way; the databases' own.
    pub async fn rebuild(&self, by: &By, wanted: &Wanted) -> Result<Job, OperationError> {
        let &Wanted { dry_run, force, .. } = wanted;
        self.projection(&wanted.projection).map_err(|error| error.of_field("projection"))?;
        let (kind, request) = match (&wanted.until, &wanted.into) {
            (None, None) => (Kind::Rebuild, Request { dry_run, force, ..Request::default() }),
            (None, Some(_)) => return Err(OperationError::invalid("into", "is for a copy, which needs `until`")),
            (Some(_), None) => return Err(OperationError::invalid("into", "is required with `until`: the copy's name")),
            (Some(_), Some(_)) if dry_run => return Err(OperationError::invalid("dry_run", "is not for a copy: it changes nothing")),
            (Some(_), Some(_)) if force => return Err(OperationError::invalid("force", "is not for a copy: it changes nothing")),
            (Some(then), Some(name)) => {
                self.free_name(&wanted.projection, name).await?;
                (Kind::Copy, Request { until: Some(until(&self.log, then).await?), into: Some(name.clone()), ..Request::default() })
            }
        };
        self.ask(by, kind, &wanted.projection, request).await
    }

    /// Asks for a verification.
    ///
    /// # Errors
    /// The projection is unknown, or another job is in the way; the databases' own.
    pub async fn verify(&self, by: &By, projection: &str) -> Result<Job, OperationError> {
        self.projection(projection).map_err(|error| error.of_field("projection"))?;
        self.ask(by, Kind::Verify, projection, Request::default()).await
    }

    async fn ask(&self, by: &By, kind: Kind, name: &str, request: Request) -> Result<Job, OperationError> {
        let view = self.projection(name)?.view();
        if let Some(job) = self.store.open_job(view).await? {
            return Err(OperationError::open(job));
        }
        let id = Uuid::now_v7();
        let action = match kind {
            Kind::Rebuild | Kind::Upgrade => "rebuild",
            Kind::Verify => "verify",
            Kind::Copy => "copy",
        };
        self.note(by, action, &json!({ "projection": name, "job": id, "request": request })).await?;
        let asked = self.store.ask_for(id, kind, view, &request).await?;
        self.asked.notify_one();
        let open = if asked { self.store.job(id).await? } else { self.store.open_job(view).await? };
        match open {
            Some(job) if asked => Ok(job),
            Some(job) => Err(OperationError::open(job)),
            // The one that was in the way is over.
            None => Err(OperationError::conflict(format!("another job of {name} has just ended; again"))),
        }
    }

    /// Copies are called as views of the same database: the tables of generations have such names, too.
    async fn free_name(&self, projection: &str, name: &str) -> Result<(), OperationError> {
        let is_word = name.len() <= 31 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !is_word || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(OperationError::invalid(
                "into",
                "must be a lower-case letter and up to 30 lower-case letters, digits and underscores",
            ));
        }
        if name.strip_prefix('g').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit())) {
            return Err(OperationError::invalid("into", "must not be g and a digit: so generations are called"));
        }
        let taken = |copy: &read_store::Generation| copy.projection == projection && copy.name.as_deref() == Some(name);
        if self.store.generations().await?.iter().any(taken) {
            return Err(OperationError::conflict(format!(
                "{projection} has a copy {name} already; `tizza cleanup --copy {name}` drops it"
            )));
        }
        Ok(())
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn jobs(&self) -> Result<Vec<Job>, OperationError> {
        Ok(self.store.jobs(100).await?)
    }

    /// A job: a verification, or any other.
    ///
    /// # Errors
    /// There is none, or the database's own.
    pub async fn job(&self, id: Uuid, verifications: bool) -> Result<Job, OperationError> {
        let job = self.store.job(id).await?.filter(|job| (job.kind == Kind::Verify) == verifications);
        job.ok_or_else(|| OperationError::NotFound(format!("job {id}")))
    }

    /// Has a job dropped, with all that it has made; the answer is whether it was dropped already.
    ///
    /// # Errors
    /// It has ended otherwise, or the databases' own.
    pub async fn abort(&self, by: &By, job: &Job) -> Result<bool, OperationError> {
        if job.state == State::Aborted {
            return Ok(true);
        }
        self.wish(by, "abort", job, Wish::Abort).await.map(|()| false)
    }

    /// Has a job paused.
    ///
    /// # Errors
    /// It has ended, or the databases' own.
    pub async fn pause(&self, by: &By, job: &Job) -> Result<(), OperationError> {
        if job.state == State::Paused { Ok(()) } else { self.wish(by, "pause", job, Wish::Pause).await }
    }

    async fn wish(&self, by: &By, action: &str, job: &Job, wish: Wish) -> Result<(), OperationError> {
        if !matches!(job.state, State::Running | State::Paused) {
            return Err(OperationError::conflict(format!("job {} has ended already", job.id)));
        }
        self.note(by, action, &json!({ "projection": job.projection, "job": job.id })).await?;
        let is_open = self.store.wish(job.id, wish).await?;
        self.asked.notify_one();
        if is_open { Ok(()) } else { Err(OperationError::conflict(format!("job {} is not running any more", job.id))) }
    }

    /// Has a paused job go on, as it was asked for or otherwise.
    ///
    /// # Errors
    /// It is not paused, or the databases' own.
    pub async fn resume(&self, by: &By, job: &Job, dry_run: Option<bool>, force: Option<bool>) -> Result<Job, OperationError> {
        if job.state != State::Paused {
            return Err(OperationError::conflict(format!("job {} is not paused", job.id)));
        }
        let asked = job.request.clone();
        let request = Request { dry_run: dry_run.unwrap_or(asked.dry_run), force: force.unwrap_or(asked.force), ..asked };
        self.note(by, "resume", &json!({ "projection": job.projection, "job": job.id, "request": request })).await?;
        let resumed = self.store.resume(job.id, &request).await?;
        self.asked.notify_one();
        match self.store.job(job.id).await? {
            Some(job) if resumed => Ok(job),
            Some(_) | None => Err(OperationError::conflict(format!("job {} is not paused any more", job.id))),
        }
    }

    /// Drops what has not been live for so long, and copies by their names.
    ///
    /// # Errors
    /// There is no such copy, or the databases' own.
    pub async fn cleanup(&self, by: &By, older_than: Duration, copies: &[String]) -> Result<Cleaned, OperationError> {
        let known = self.store.generations().await?;
        if let Some(missing) = copies.iter().find(|copy| !known.iter().any(|one| one.name.as_ref() == Some(copy))) {
            return Err(OperationError::invalid("copies", format!("there is no copy {missing}")));
        }
        self.note(by, "cleanup", &json!({ "older_than_s": older_than.as_secs(), "copies": copies })).await?;
        let tables = cleanup(&self.store, older_than, copies).await?;
        self.folding.refresh().await?;
        Ok(Cleaned { tables })
    }
}
