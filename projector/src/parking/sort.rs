//! Which events of a batch are folded, and which are parked: decided in one place, from nothing but the events and what is known of
//! their partition.

use std::collections::{BTreeMap, BTreeSet};

use event_log::{Position, Recorded};
use events::{Event, users::USER_DELETED};
use read_store::parked::{ParkedEvent, Streams};
use uuid::Uuid;

use super::reason::{Unreadable, read};
use crate::FoldError;

/// What is known of a generation's partition before a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Streams of which something is parked.
    pub held: Streams,
    /// Events that operators have given up on.
    pub skipped: BTreeSet<Position>,
    /// Events that a fold was tried with and cannot cope with, and why.
    pub broken: BTreeMap<Position, String>,
}

/// An event that can be read, and what is known of it besides.
pub type Readable<'a> = (Event, &'a Recorded);

/// A batch, sorted.
#[derive(Debug, Default)]
pub struct Sorted<'a> {
    /// What is folded.
    pub fold: Vec<Readable<'a>>,
    /// What is parked.
    pub park: Parking,
    /// Streams of which something is parked afterwards.
    pub held: Streams,
}

/// What becomes of parked events.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parking {
    /// What is forgotten of what was parked before.
    pub discard: Vec<Discard>,
    /// What is parked now.
    pub events: Vec<ParkedEvent>,
}

/// A person is deleted: what is parked of them is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discard {
    /// Where that is said.
    pub position: Position,
    /// Who.
    pub subject_id: Option<Uuid>,
    /// The person's own stream.
    pub stream_id: Uuid,
}

impl Parking {
    /// Whether there is nothing to write down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.discard.is_empty() && self.events.is_empty()
    }
}

impl Sorted<'_> {
    fn park(&mut self, recorded: &Recorded, reason: Option<String>) {
        let (position, stream_id, subject_id) = (recorded.position, recorded.stream_id, recorded.metadata.subject_id);
        self.held.insert((stream_id, subject_id));
        self.park.events.push(ParkedEvent { position, stream_id, subject_id, event_type: recorded.event_type.clone(), reason });
    }

    fn holds(&self, stream: Uuid) -> bool {
        self.held.range((stream, None)..).next().is_some_and(|(held, _)| *held == stream)
    }

    /// Nothing that is parked of a deleted person is ever folded.
    fn delete(&mut self, recorded: &Recorded) {
        let (position, stream_id, subject_id) = (recorded.position, recorded.stream_id, recorded.metadata.subject_id);
        let is_kept = |stream: Uuid, subject: Option<Uuid>| stream != stream_id && (subject.is_none() || subject != subject_id);
        let held = self.held.len();
        self.held.retain(|(stream, subject)| is_kept(*stream, *subject));
        if self.held.len() < held {
            self.park.events.retain(|parked| is_kept(parked.stream_id, parked.subject_id));
            self.park.discard.push(Discard { position, subject_id, stream_id });
        }
    }
}

/// Sorts a batch of a partition, for a fold that lists some types of events. Only these are looked into.
///
/// # Errors
/// [`FoldError::Newer`]: only what is before that event can be folded.
pub fn sort<'a>(
    events: impl IntoIterator<Item = &'a Recorded>,
    lists: impl Fn(&str) -> bool,
    known: &Known,
) -> Result<Sorted<'a>, FoldError> {
    let mut sorted = Sorted { held: known.held.clone(), ..Sorted::default() };
    for recorded in events {
        let (deletes, listed) = (recorded.event_type == USER_DELETED, lists(&recorded.event_type));
        if known.skipped.contains(&recorded.position) || !(deletes || listed) {
            continue;
        }
        let held = sorted.holds(recorded.stream_id);
        if held && !deletes {
            sorted.park(recorded, None);
            continue;
        }
        let event = if listed { read(recorded, &known.broken).map(Some) } else { Ok(None) };
        match event {
            Ok(event) => {
                if deletes {
                    sorted.delete(recorded);
                }
                sorted.fold.extend(event.map(|event| (event, recorded)));
            }
            Err(Unreadable::Broken(reason)) => sorted.park(recorded, (!held).then_some(reason)),
            Err(Unreadable::Newer(source)) => return Err(FoldError::Newer { position: recorded.position, source }),
        }
    }
    Ok(sorted)
}
