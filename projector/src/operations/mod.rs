//! What operators can do with projections, on the admin listener and by the command line: the same for both.

use chrono::{DateTime, Utc};
use read_store::jobs::{Job, Request};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A projection, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectionStatus {
    /// Its name.
    pub projection: String,
    /// Each generation that has tables.
    pub generations: Vec<GenerationStatus>,
    /// What is being done with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<Job>,
}

/// A generation, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationStatus {
    /// Its number, never used again.
    pub generation: i64,
    /// Of which version of the fold.
    pub version: i64,
    /// `live`, `building`, `standby`, `old`, `copy`.
    pub state: String,
    /// A copy's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// How many events are folded, of all partitions.
    pub position: i64,
    /// How many it has to fold yet.
    pub lag_events: i64,
    /// For how long the oldest of these has waited.
    pub lag_seconds: f64,
    /// How many events are parked.
    pub parked: i64,
    /// What its tables take, in bytes, indexes included.
    pub bytes: i64,
    /// When it ceased to be live.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retired_at: Option<DateTime<Utc>>,
}

/// A parked event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// `<projection>.<generation>.<partition>.<position>`.
    pub id: String,
    /// By which projection.
    pub projection: String,
    /// In which generation.
    pub generation: i64,
    /// Where it is.
    pub partition: u16,
    /// Its place there.
    pub position: i64,
    /// The stream that it belongs to.
    pub stream_id: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Why it could not be folded; `None`: it waits behind one of its stream that could not.
    pub reason: Option<String>,
    /// Since when.
    pub parked_at: DateTime<Utc>,
}

/// What became of a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// How many events of the stream are folded now.
    pub folded: i64,
    /// How many are still parked.
    pub left: i64,
}

/// What is to be rebuilt, verified or copied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Which projection.
    pub projection: String,
    /// How.
    #[serde(flatten)]
    pub request: Request,
}

/// What was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaned {
    /// Tables that are gone.
    pub tables: Vec<String>,
}
