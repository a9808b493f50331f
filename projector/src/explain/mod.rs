//! The events behind one row: the log is folded in memory, partition by partition, and whatever changes the row is told.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `probe` | a fold in memory that is watched for one row |
//! | `run` | the log, folded by probes |

mod probe;
mod run;

use chrono::{DateTime, Utc};
use event_log::Actor;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use probe::{Probe, RowChange, probe};
pub use run::explain;

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The values of its key, with commas between them.
    pub key: String,
    /// Only in this table.
    pub table: Option<String>,
}

/// What is told, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Told {
    /// An event has changed the row.
    Changed(Changed),
    /// An event was not folded, so that nobody knows what it would have done.
    Passed(Passed),
    /// The log was looked through.
    End {
        /// How many events were folded or passed.
        events: i64,
        /// How many of them have changed the row.
        changes: i64,
    },
    /// It was not: a store has failed.
    Failed {
        /// What is to be done.
        detail: String,
    },
}

/// An event that has changed the row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The event.
    #[serde(flatten)]
    pub event: Place,
    /// Who did it.
    pub actor: Actor,
    /// What it did to the row.
    #[serde(flatten)]
    pub change: RowChange,
}

/// An event that was not folded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passed {
    /// The event.
    #[serde(flatten)]
    pub event: Place,
    /// Why.
    pub reason: String,
}

/// Which event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its partition.
    pub partition: u16,
    /// Its place there.
    pub position: i64,
    /// When it was written.
    #[serde(with = "service_kit::time")]
    pub recorded_at: DateTime<Utc>,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its stream.
    pub stream_id: Uuid,
    /// Its place there.
    pub version: i64,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// There was none.
    Made,
    /// It has other values.
    Changed,
    /// There is none any more.
    Removed,
}

/// A column with another value than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnChange {
    /// Its name.
    pub column: String,
    /// Its values say who somebody is, and are not told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub personal: bool,
    /// Before; of a counter there is neither this nor the next.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub from: Value,
    /// After.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub to: Value,
    /// What was added to a counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<i64>,
}
