//! Projections as operators see them, and which of their generations is read.

use std::{collections::HashMap, time::Duration};

use chrono::DateTime;
use event_log::{Heads, Partition};
use read_store::{Generation, Positions, Role, Swap, jobs::Job};
use serde_json::json;
use service_kit::health::age;
use tokio::time::{Instant, sleep};

use super::{By, GenerationStatus, OperationError, Operations, ProjectionStatus};
use crate::Projection;

/// How long a rollback waits for the old generation to have folded all that the live one has.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const AGAIN: Duration = Duration::from_millis(20);

/// What is known of all generations at one moment.
struct Known {
    heads: Heads,
    generations: Vec<Generation>,
    checkpoints: HashMap<(String, i64), Positions>,
    parked: HashMap<(String, i64), i64>,
    jobs: Vec<Job>,
}

impl Operations {
    /// All projections of this program.
    ///
    /// # Errors
    /// The databases' own.
    pub async fn statuses(&self) -> Result<Vec<ProjectionStatus>, OperationError> {
        let known = self.known().await?;
        let mut statuses = vec![];
        for projection in self.projections.iter() {
            statuses.push(self.status_of(&**projection, &known).await?);
        }
        Ok(statuses)
    }

    /// One projection.
    ///
    /// # Errors
    /// It is unknown, or the databases' own.
    pub async fn status(&self, name: &str) -> Result<ProjectionStatus, OperationError> {
        let projection = self.projection(name)?;
        self.status_of(&**projection, &self.known().await?).await
    }

    /// Has the generation that was live before read again.
    ///
    /// # Errors
    /// There is none, or it is not as far; the databases' own.
    pub async fn rollback(&self, by: &By, name: &str, force: bool) -> Result<ProjectionStatus, OperationError> {
        let view = self.projection(name)?.view();
        let none = || OperationError::conflict(format!("{name} has no generation to go back to"));
        let to = self.store.last_live(view).await?.ok_or_else(none)?;
        self.note(by, "rollback", &json!({ "projection": name, "to": to, "force": force })).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let what = match self.store.swap(view, to, force).await? {
                Swap::Done { .. } | Swap::AlreadyLive => break,
                Swap::Gone => return Err(none()),
                Swap::Behind if Instant::now() < deadline => {
                    sleep(AGAIN).await;
                    continue;
                }
                Swap::Behind => format!("generation {to} of {name} has not folded yet what the live one has"),
                Swap::Parked(events) => format!("generation {to} of {name} has parked {events} events that the live one has folded"),
            };
            return Err(OperationError::conflict(what));
        }
        self.folding.refresh().await?;
        self.status(name).await
    }

    async fn known(&self) -> Result<Known, OperationError> {
        // Heads last: nothing has folded more than the log holds.
        let (generations, parked) = (self.store.generations().await?, self.store.parked_by_generation().await?);
        let (checkpoints, jobs) = (self.store.checkpoints().await?, self.store.open_jobs().await?);
        Ok(Known { heads: self.log.all_heads().await?, generations, checkpoints, parked, jobs })
    }

    async fn status_of(&self, projection: &dyn Projection, known: &Known) -> Result<ProjectionStatus, OperationError> {
        let view = projection.view();
        let mut generations = vec![];
        for generation in known.generations.iter().filter(|one| one.projection == view.name) {
            generations.push(self.generation_status(generation, known).await?);
        }
        let of_it = known.jobs.iter().filter(|job| job.projection == view.name);
        let job = of_it.max_by_key(|job| job.version == view.version).cloned();
        Ok(ProjectionStatus { projection: view.name.into(), generations, job })
    }

    async fn generation_status(&self, one: &Generation, known: &Known) -> Result<GenerationStatus, OperationError> {
        let key = (one.projection.clone(), one.generation);
        let positions = known.checkpoints.get(&key).copied().unwrap_or_default();
        let behind = Partition::all().filter(|partition| positions[partition.index()] < known.heads[partition.index()]);
        let next: Vec<_> = behind.map(|partition| (partition, positions[partition.index()] + 1)).collect();
        let oldest = self.log.recorded_at(&next).await?.into_values().min();
        let (position, head) = (positions.iter().sum::<i64>(), known.heads.iter().sum::<i64>());
        Ok(GenerationStatus {
            generation: one.generation,
            version: one.version,
            state: state(one).into(),
            name: one.name.clone(),
            position,
            lag_events: (head - position).max(0),
            lag_seconds: oldest.map_or(0.0, |oldest| age(oldest).as_secs_f64()),
            parked: known.parked.get(&key).copied().unwrap_or_default(),
            bytes: self.sizes.of(&self.store, one).await?,
            retired_at: one.retired_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        })
    }
}

fn state(one: &Generation) -> &'static str {
    match (one.role, one.retired_at) {
        (Role::Folded, _) if one.is_live => "live",
        (Role::Folded, Some(_)) => "old",
        (Role::Folded, None) => "standby",
        (role, _) => role.name(),
    }
}
