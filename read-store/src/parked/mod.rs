//! Events that a generation could not fold, by place: the events themselves are in the log. And those that operators have given up on.
//!
//! `checkpoints.parked` counts a generation's parked events of a partition. Who changes these rows holds the checkpoint's row.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `changes` | what becomes of parked events |
//! | `looks` | what is parked |
//! | `skipped` | what operators have given up on |

mod changes;
mod looks;
mod skipped;

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::Partition;

pub use changes::{blame, discard, hold, park, release};
pub use looks::{ParkedRow, all_held, held, of_stream};
pub use skipped::{skip, skipped};

/// A partition of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Of which view.
    pub projection: &'a str,
    /// The generation's number.
    pub generation: i64,
    /// Which.
    pub partition: Partition,
}

/// An event that is parked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, FromRow)]
pub struct ParkedEvent {
    /// Its place in the partition.
    pub position: i64,
    /// The stream that it belongs to.
    pub stream_id: Uuid,
    /// Whose it is.
    pub subject_id: Option<Uuid>,
    /// Its type.
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub event_type: String,
    /// Why it could not be folded; `None`: only what is before it of its stream could not.
    pub reason: Option<String>,
}

/// Streams of which something is parked, each with whose that is.
pub type Streams = BTreeSet<(Uuid, Option<Uuid>)>;
