//! What a writer asks for and what it is answered.

use uuid::Uuid;

use crate::{Claim, CommandKey, MAX_PAYLOAD, Metadata, Partition, Position, Version};

/// A wish to append events to one stream.
#[derive(Clone, Debug)]
pub struct Append {
    /// The stream.
    pub stream_id: Uuid,
    /// What it is a history of; an existing stream of another kind is not touched.
    pub kind: &'static str,
    /// Where it lives. Of an existing stream this is read from its row, of a new one it follows from its subject.
    pub partition: Partition,
    /// How many events the stream had when the decision was made.
    pub expected: Version,
    /// Which event must be the last one then: told when the decision was made before that event was durable, for it may never be, and
    /// another one take its place.
    pub after: Option<Uuid>,
    /// In their order; none only to remember, under a key, that there was nothing to do.
    pub events: Vec<NewEvent>,
    /// Who and why.
    pub metadata: Metadata,
    /// What else the decision rested on.
    pub reads: Vec<Read>,
    /// Unique names taken and given back.
    pub claims: Vec<ClaimChange>,
    /// Entries for the command side's own questions.
    pub links: Vec<LinkChange>,
    /// By which a repeat is known.
    pub key: Option<CommandKey>,
}

/// An event that is not recorded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its own name, given by the writer: by it a wish that is sent twice is known.
    pub event_id: Uuid,
    /// The name of its type.
    pub event_type: &'static str,
    /// The shape of its payload.
    pub schema_version: u32,
    /// A JSON object.
    pub payload: String,
}

/// A fact that a decision rested on, checked again where the events are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A stream still has this version.
    Version {
        /// Which.
        stream_id: Uuid,
        /// As it was read.
        version: Version,
    },
    /// There are no more links than this under a key.
    AtMost {
        /// The links' kind.
        kind: &'static str,
        /// Their key.
        key: Uuid,
        /// As they were counted.
        links: i64,
    },
}

/// A unique name, taken or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// From now on it is this stream's.
    Take(Claim),
    /// It is free again.
    GiveBack(Claim),
}

impl ClaimChange {
    /// Which name.
    #[must_use]
    pub const fn claim(self) -> Claim {
        match self {
            Self::Take(claim) | Self::GiveBack(claim) => claim,
        }
    }
}

/// A non-unique entry, key → stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkChange {
    /// What the entry says, e.g. "pizzeria of owner".
    pub kind: &'static str,
    /// By which it is found.
    pub key: Uuid,
    /// Made, or taken away.
    pub present: bool,
}

/// What a command with a key came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The stream that it was about.
    pub stream_id: Uuid,
    /// Where that is.
    pub partition: Partition,
    /// Its version before.
    pub expected: Version,
    /// Its version after.
    pub version: Version,
    /// A place in the log that includes it.
    pub position: Position,
}

/// What became of a wish. Checked in this order: key, kind and partition, whether it is there already (the event after the expected
/// version is its own first one), version, reads, claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The events are durable.
    Appended {
        /// The stream's, after them.
        version: Version,
        /// The last one's.
        position: Position,
    },
    /// A command with this key was accepted before, and its body was the same.
    Replayed(Remembered),
    /// A command with this key was accepted before, and it was another one.
    KeyReused,
    /// The stream has another version than was expected.
    Conflict {
        /// Which.
        actual: Version,
    },
    /// A read no longer holds.
    Stale(Read),
    /// Another stream has the name.
    ClaimTaken(Claim),
    /// A stream with this id has another kind or lives in another partition.
    AnotherStream,
}

/// Why a wish was not even considered, or what became of it is not known.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// More than [`MAX_PAYLOAD`].
    #[error("the payload of {event_type} has {bytes} bytes, more than {MAX_PAYLOAD}")]
    TooLarge {
        /// Which.
        event_type: &'static str,
        /// How many.
        bytes: usize,
    },
    /// NUL cannot be stored as text everywhere.
    #[error("{name:?}, or its payload, holds a NUL character")]
    Nul {
        /// Of the event's type, the stream's kind, or the link's kind.
        name: &'static str,
    },
    /// There is nothing to append, and no key to remember it by.
    #[error("an append needs an event or a key")]
    Empty,
    /// Personal values need somebody whose they are.
    #[error("{event_type} holds personal values of nobody")]
    NoSubject {
        /// Which.
        event_type: &'static str,
    },
    /// The key of the person was destroyed: nothing personal of theirs is ever stored again.
    #[error("the personal values of {subject} were erased for ever")]
    Erased {
        /// Whose.
        subject: Uuid,
    },
    /// The database refuses this very wish; nothing of it was written.
    #[error("the log's database refuses the append")]
    Refused(#[source] std::sync::Arc<sqlx::Error>),
    /// Too many others wait; nothing was written.
    #[error("the log's queue is full")]
    Overloaded,
    /// The log is closing; nothing was written.
    #[error("the log is closed")]
    Closed,
    /// The database failed; whether anything was written is not known.
    #[error("the log's database failed")]
    Database(#[source] std::sync::Arc<sqlx::Error>),
}

impl Append {
    /// Refuses at the edge what must not reach the queue.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        if self.events.is_empty() && self.key.is_none() {
            return Err(AppendError::Empty);
        }
        let no_nul = |name: &'static str, text: &str| if text.contains('\0') { Err(AppendError::Nul { name }) } else { Ok(()) };
        no_nul(self.kind, self.kind)?;
        self.links.iter().try_for_each(|link| no_nul(link.kind, link.kind))?;
        for NewEvent { event_type, payload, .. } in &self.events {
            if payload.len() > MAX_PAYLOAD {
                return Err(AppendError::TooLarge { event_type, bytes: payload.len() });
            }
            no_nul(event_type, event_type)?;
            no_nul(event_type, payload)?;
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.payload.len()).sum()
    }
}
