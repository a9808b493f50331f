//! Taking away what is of no use any more.

use std::{collections::HashSet, time::Duration};

use chrono::Utc;
use read_store::{Generation, ReadStore, Role};

use crate::projections;

/// So long somebody may go on reading a generation that was live: it is asked once a second which one is.
const GRACE: i64 = 5;
/// A program that folds a generation says so more often.
const SILENT: i64 = 60;

/// Drops the generations that have not been live for so long, those that nobody knows of any more, and copies by their names. The answer is
/// the tables that are gone.
///
/// # Errors
/// The database's own; what is dropped stays so.
pub async fn cleanup(store: &ReadStore, older_than: Duration, copies: &[String]) -> Result<Vec<String>, sqlx::Error> {
    let known = store.generations().await?;
    // Later: whoever has made one of them is among these.
    let worked_on = store.open_jobs().await?.into_iter().flat_map(|job| {
        let made = [job.progress.generation, job.progress.second];
        made.into_iter().flatten().map(move |generation| (job.projection.clone(), generation))
    });
    let worked_on: HashSet<_> = worked_on.into_iter().collect();
    let now = Utc::now().timestamp();
    let before = now - i64::try_from(older_than.as_secs()).unwrap_or(i64::MAX / 2).max(GRACE);
    let mut dropped = vec![];
    for one in known {
        let is_worked_on = worked_on.contains(&(one.projection.clone(), one.generation));
        if !is_worked_on && is_useless(&one, before, now, copies) && store.drop_generation(&one).await? {
            dropped.extend(if one.role == Role::Copy { one.copy_names() } else { one.table_names() });
        }
    }
    if !dropped.is_empty() {
        tracing::info!(tables = ?dropped, "what is of no use any more was dropped");
    }
    Ok(dropped)
}

fn is_useless(one: &Generation, before: i64, now: i64, copies: &[String]) -> bool {
    let is_own = projections().iter().any(|known| known.view().name == one.projection && known.view().version == one.version);
    match (one.role, one.retired_at) {
        (Role::Copy, _) => one.name.as_ref().is_some_and(|name| copies.contains(name)),
        // Another release may still run, and read it.
        (_, Some(retired_at)) => retired_at <= before && (is_own || one.folded_at.is_none_or(|at| at < now - SILENT)),
        (Role::Building | Role::Folded, None) => is_own && !one.is_live,
        (Role::Astray | Role::Gone, None) => true,
    }
}
