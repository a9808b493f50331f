//! What operators asked for that takes a while: kept in the read store, so that whoever runs it may crash and another go on.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Positions;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A new generation, verified and swapped in.
    Rebuild,
    /// The first generation of a projection's version.
    Upgrade,
    /// A second fold, compared with the live rows.
    Verify,
    /// The view as it was once.
    Copy,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody works on it, or will soon.
    Running,
    /// It waits to be resumed.
    Paused,
    /// It came to its end.
    Done,
    /// It could not; nothing that is live was touched.
    Failed,
    /// An operator has dropped it.
    Aborted,
}

/// What it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody has begun yet.
    Waiting,
    /// The log is folded into the new tables.
    Folding,
    /// Their indexes are made.
    Indexing,
    /// Workers take the new tables up to where the live ones are.
    CatchingUp,
    /// The log is folded a second time, to be compared.
    Verifying,
    /// Rows are compared.
    Comparing,
    /// The new tables become the live ones.
    Swapping,
    /// Nothing is left to be done.
    Ended,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Stop before the swap, and show what it would change.
    pub dry_run: bool,
    /// Swap also where the new generation has parked events that the live one has not.
    pub force: bool,
    /// Of a copy: up to where, in each partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Positions>,
    /// Of a copy: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is at.
    pub phase: Phase,
    /// How many events are folded in this phase.
    pub folded: i64,
    /// Of how many.
    pub events: i64,
    /// How many a second, in this phase.
    pub events_per_second: f64,
    /// When the phase is over, in seconds from when this was told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds_left: Option<f64>,
    /// The generation that is made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub generation: Option<i64>,
    /// The one that it is verified against.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub second: Option<i64>,
}

/// What it came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Why it failed; empty if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How the verified rows differ from what was folded before: live from new, or live from a second fold.
    pub differences: Vec<Difference>,
    /// How many rows were compared.
    pub rows: i64,
    /// Rows of erased persons, which are not compared.
    pub left_out: i64,
    /// Whether the new generation is live now.
    pub swapped: bool,
    /// The tables that were made: of a copy, those that an operator may read.
    pub tables: Vec<String>,
}

/// How two generations of one table differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The table, without generation.
    pub table: String,
    /// Rows that only the new one has.
    pub added: i64,
    /// Rows that only the live one has.
    pub removed: i64,
    /// Rows that both have, with other values.
    pub changed: i64,
    /// Some of their keys.
    pub keys: Vec<String>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub id: Uuid,
    /// What is to be done.
    pub kind: Kind,
    /// With which projection.
    pub projection: String,
    /// In which version.
    pub version: i64,
    /// How it is.
    pub state: State,
    /// What was asked for.
    pub request: Request,
    /// How far it is.
    pub progress: Progress,
    /// What it came to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// When it was asked for.
    pub started_at: DateTime<Utc>,
    /// When this was last true.
    pub changed_at: DateTime<Utc>,
}
