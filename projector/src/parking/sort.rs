//! Which events of a batch are folded, and which are parked: decided in one place, from nothing but the events and what is known of
//! their partition.

use std::collections::BTreeSet;

use event_log::{Position, Recorded};
use events::{Event, users::USER_DELETED};
use read_store::parked::{ParkedEvent, Streams};
use uuid::Uuid;

use super::{
    Broken,
    reason::{Unreadable, read},
};
use crate::FoldError;

/// What is known of a generation's partition before a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Streams of which something is parked.
    pub held: Streams,
    /// Events that operators have given up on.
    pub skipped: BTreeSet<Position>,
    /// Events that a fold was tried with and cannot cope with, and why.
    pub broken: Broken,
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

#[cfg(test)]
pub(super) mod tests {
    use chrono::DateTime;
    use event_log::{Actor, Metadata, Partition};
    use events::PizzeriaId;

    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const EVE: Uuid = Uuid::from_u128(2);

    /// Readable events of Ada's one stream.
    pub fn events(types: &[&str]) -> Vec<Recorded> {
        types.iter().zip(1..).map(|(name, position)| event(position, name, ADA, ADA)).collect()
    }

    fn event(position: Position, event_type: &str, stream_id: Uuid, subject: Uuid) -> Recorded {
        let place = PizzeriaId(ADA);
        let payload = match event_type {
            "UserDeleted" => format!(r#"{{"user_id":"{subject}","reason":"self"}}"#),
            _ => format!(r#"{{"user_id":"{subject}","pizza_id":"{ADA}","pizzeria_id":"{place}"}}"#),
        };
        Recorded {
            partition: Partition::of(ADA),
            position,
            event_id: Uuid::from_u128(position as u128),
            stream_id,
            version: position,
            event_type: event_type.into(),
            schema_version: 1,
            payload,
            metadata: Metadata {
                actor: Actor::Anonymous,
                subject_id: Some(subject),
                correlation_id: "test".into(),
                causation_id: None,
                traceparent: None,
            },
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    fn broken(mut event: Recorded) -> Recorded {
        event.payload = "{}".into();
        event
    }

    const LISTED: [&str; 3] = ["PizzaLiked", "PizzaDisliked", USER_DELETED];

    /// Positions of what is folded, of what is parked with a reason, and of what is behind it.
    fn sorted(events: &[Recorded], known: &Known) -> [Vec<Position>; 3] {
        let sorted = sort(events, |name| LISTED.contains(&name), known).unwrap();
        let parked = |has_reason| {
            let some = sorted.park.events.iter().filter(move |event| event.reason.is_some() == has_reason);
            some.map(|event| event.position).collect()
        };
        [sorted.fold.iter().map(|(_, recorded)| recorded.position).collect(), parked(true), parked(false)]
    }

    fn stream(n: u128) -> Uuid {
        Uuid::from_u128(100 + n)
    }

    #[test]
    fn a_stream_waits_behind_its_event_that_cannot_be_read_and_others_do_not() {
        let batch = [
            event(1, "PizzaLiked", stream(1), ADA),
            broken(event(2, "PizzaLiked", stream(1), ADA)),
            event(3, "PizzaLiked", stream(2), ADA),
            event(4, "PizzaDisliked", stream(1), ADA),
            broken(event(5, "PizzaLiked", stream(1), ADA)),
            broken(event(6, "PizzaCreated", stream(3), ADA)),
        ];
        assert_eq!(sorted(&batch, &Known::default()), [vec![1, 3], vec![2], vec![4, 5]]);
        let held = Streams::from([(stream(2), Some(ADA))]);
        assert_eq!(sorted(&batch, &Known { held, ..Known::default() }), [vec![1], vec![2], vec![3, 4, 5]]);
        let skipped = BTreeSet::from([2]);
        assert_eq!(sorted(&batch, &Known { skipped, ..Known::default() }), [vec![1, 3, 4], vec![5], vec![]]);
        let tried = Broken::from([(1, "it panics".to_owned())]);
        assert_eq!(sorted(&batch, &Known { broken: tried, ..Known::default() }), [vec![3], vec![1], vec![2, 4, 5]]);
    }

    #[test]
    fn a_newer_event_stops_unless_it_waits_behind_another_or_is_not_listed() {
        let newer = |mut event: Recorded| {
            event.schema_version = 99;
            event
        };
        let stop = [event(1, "PizzaLiked", stream(1), ADA), newer(event(2, "PizzaLiked", stream(2), ADA))];
        let stopped = sort(&stop, |_| true, &Known::default());
        assert!(matches!(stopped, Err(FoldError::Newer { position: 2, .. })), "{stopped:?}");
        assert_eq!(sorted(&[newer(event(1, "PizzaCreated", stream(1), ADA))], &Known::default()), <[Vec<Position>; 3]>::default());
        let behind = [broken(event(1, "PizzaLiked", stream(1), ADA)), newer(event(2, "PizzaLiked", stream(1), ADA))];
        assert_eq!(sorted(&behind, &Known::default()), [vec![], vec![1], vec![2]]);
    }

    #[test]
    fn a_deletion_forgets_what_is_parked_of_its_person_and_is_folded() {
        let mut batch = vec![
            broken(event(1, "PizzaLiked", stream(1), ADA)),
            broken(event(2, "PizzaLiked", stream(2), EVE)),
            event(3, USER_DELETED, ADA, ADA),
            event(4, "PizzaLiked", stream(1), ADA),
        ];
        let held = Streams::from([(ADA, Some(ADA)), (stream(3), Some(ADA)), (EVE, None)]);
        let known = Known { held, ..Known::default() };
        assert_eq!(sorted(&batch, &known), [vec![3, 4], vec![2], vec![]]);
        let after = sort(&batch, |name| LISTED.contains(&name), &known).unwrap();
        assert_eq!(after.held, Streams::from([(EVE, None), (stream(2), Some(EVE))]));
        assert_eq!(after.park.discard, [Discard { position: 3, subject_id: Some(ADA), stream_id: ADA }]);
        assert_eq!(sort(&batch[2..], |_| true, &Known::default()).unwrap().park, Parking::default());

        // Also where a fold does not list it.
        let unlisted = sort(&batch, |name| name == "PizzaLiked", &known).unwrap();
        assert_eq!((unlisted.held, unlisted.fold.len()), (after.held, 1));

        // One that cannot be read does nothing.
        batch[2] = broken(batch[2].clone());
        assert_eq!(sorted(&batch, &known), [vec![], vec![1, 2], vec![3, 4]]);
        assert_eq!(sorted(&batch, &Known::default()), [vec![], vec![1, 2, 3], vec![4]]);
    }
}
