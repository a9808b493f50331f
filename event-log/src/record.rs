//! An event as the log keeps it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Partition, Position, Version, trace::Traceparent};

/// An event that happened, with all that the log knows of it.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Recorded {
    /// Where it is.
    pub partition: Partition,
    /// Its place there.
    pub position: Position,
    /// Its own name.
    pub event_id: Uuid,
    /// The stream it belongs to.
    pub stream_id: Uuid,
    /// Its place in the stream: the first event has 1.
    pub version: Version,
    /// The name of its type.
    #[sqlx(rename = "type")]
    pub event_type: String,
    /// The shape of its payload.
    #[sqlx(try_from = "i32")]
    pub schema_version: u32,
    /// A JSON object.
    pub payload: String,
    /// Who and why.
    #[sqlx(json)]
    pub metadata: Metadata,
    /// When it was written; never decreases within a partition.
    pub recorded_at: DateTime<Utc>,
}

/// Who caused an event, and what it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who.
    pub actor: Actor,
    /// Whose personal data the payload holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject_id: Option<Uuid>,
    /// The same for all that follows from one request.
    pub correlation_id: String,
    /// The event that a policy reacted to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub causation_id: Option<Uuid>,
    /// Where it belongs in a trace. It is for looking on, and no part of what happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<Traceparent>,
}

/// Who caused an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// Nobody is logged in.
    Anonymous,
    /// A person.
    User(Uuid),
    /// A policy, by its name, or the operators' program.
    System(String),
}

/// What is known of a stream without its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRow {
    /// What it is a history of.
    pub kind: String,
    /// Where it lives, for ever.
    pub partition: Partition,
    /// How many events it has.
    pub version: Version,
}
