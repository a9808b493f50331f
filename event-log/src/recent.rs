//! The newest events of each partition, in memory: those who follow the log closely read them here, and the database is asked by those who
//! are further behind, or when another process has appended meanwhile.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use crate::{PARTITIONS, Partition, Position, Recorded, figures::Looks};

/// How many events a partition keeps.
const MOST: usize = 512;
/// How many bytes of payload a partition keeps.
const MOST_BYTES: usize = 512 * 1024;

/// A run of events without a gap for each partition.
#[derive(Debug)]
pub struct Recent {
    runs: Vec<Mutex<Run>>,
    looks: Looks,
}

#[derive(Debug, Default)]
struct Run {
    events: VecDeque<Recorded>,
    bytes: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { runs: (0..PARTITIONS).map(|_| Mutex::default()).collect(), looks: Looks::into("events") }
    }
}

impl Recent {
    fn run(&self, partition: Partition) -> MutexGuard<'_, Run> {
        self.runs[partition.index()].lock().expect("no panic while it is held")
    }

    /// Keeps events that are durable, in the order of their positions.
    pub fn keep(&self, events: Vec<Recorded>) {
        for event in events {
            let mut run = self.run(event.partition);
            if run.events.back().is_some_and(|last| last.position + 1 != event.position) {
                *run = Run::default();
            }
            run.bytes += event.payload.len();
            run.events.push_back(event);
            while run.events.len() > MOST || run.bytes > MOST_BYTES {
                let Some(oldest) = run.events.pop_front() else { break };
                run.bytes -= oldest.payload.len();
            }
        }
    }

    /// At most `limit` events after a position, if the next one is here.
    pub fn after(&self, partition: Partition, after: Position, limit: usize) -> Option<Vec<Recorded>> {
        let run = self.run(partition);
        let start = self.looks.found(run.index_of(after + 1))?;
        Some(run.events.range(start..).take(limit).cloned().collect())
    }

    /// At most `limit` events of some types, after one position and up to another, if all between them are here.
    pub fn of_types(
        &self,
        partition: Partition,
        (after, until): (Position, Position),
        types: &[&str],
        limit: usize,
    ) -> Option<Vec<Recorded>> {
        let run = self.run(partition);
        let (start, end) = self.looks.found(run.index_of(after + 1).zip(run.index_of(until)))?;
        let wanted = run.events.range(start..=end).filter(|event| types.contains(&event.event_type.as_str()));
        Some(wanted.take(limit).cloned().collect())
    }
}

impl Run {
    fn index_of(&self, position: Position) -> Option<usize> {
        let first = self.events.front()?.position;
        let index = usize::try_from(position - first).ok()?;
        (index < self.events.len()).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::{Actor, Metadata};

    fn event(position: Position, event_type: &str, payload: usize) -> Recorded {
        Recorded {
            partition: Partition::new(3).unwrap(),
            position,
            event_id: Uuid::nil(),
            stream_id: Uuid::nil(),
            version: 1,
            event_type: event_type.into(),
            schema_version: 1,
            payload: "x".repeat(payload),
            metadata: Metadata {
                actor: Actor::Anonymous,
                subject_id: None,
                correlation_id: String::new(),
                causation_id: None,
                traceparent: None,
            },
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    fn positions(events: Option<Vec<Recorded>>) -> Option<Vec<Position>> {
        events.map(|events| events.iter().map(|event| event.position).collect())
    }

    #[test]
    fn what_is_not_here_as_a_whole_is_left_to_the_database() {
        let (recent, partition) = (Recent::default(), Partition::new(3).unwrap());
        recent.keep((5..=9).map(|position| event(position, if position % 2 == 0 { "Even" } else { "Odd" }, 1)).collect());
        assert_eq!(positions(recent.after(partition, 4, 3)), Some(vec![5, 6, 7]));
        assert_eq!(positions(recent.after(partition, 7, 9)), Some(vec![8, 9]));
        assert_eq!(positions(recent.after(partition, 3, 9)), None, "4 is not here");
        assert_eq!(positions(recent.after(partition, 9, 9)), None, "nor is 10");
        assert_eq!(positions(recent.after(Partition::new(4).unwrap(), 4, 9)), None);
        assert_eq!(positions(recent.of_types(partition, (4, 9), &["Even"], 9)), Some(vec![6, 8]));
        assert_eq!(positions(recent.of_types(partition, (4, 9), &["Even"], 1)), Some(vec![6]));
        assert_eq!(positions(recent.of_types(partition, (4, 10), &["Even"], 9)), None, "10 is not here");
    }

    #[test]
    fn behind_a_gap_it_begins_anew_and_it_never_grows_beyond_its_limits() {
        let (recent, partition) = (Recent::default(), Partition::new(3).unwrap());
        recent.keep(vec![event(1, "A", 1), event(3, "A", 1)]);
        assert_eq!(positions(recent.after(partition, 0, 9)), None);
        assert_eq!(positions(recent.after(partition, 2, 9)), Some(vec![3]));
        recent.keep((4..2_000).map(|position| event(position, "A", 1)).collect());
        assert_eq!(recent.run(partition).events.len(), MOST);
        recent.keep((2_000..2_010).map(|position| event(position, "A", 200 * 1024)).collect());
        assert!(recent.run(partition).bytes <= MOST_BYTES);
        assert_eq!(positions(recent.after(partition, 2_007, 9)), Some(vec![2_008, 2_009]));
    }
}
