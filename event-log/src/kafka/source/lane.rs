//! What has come of one partition, and is not folded yet.

use std::collections::VecDeque;

use crate::{Position, Recorded};

/// How many events of a partition wait to be folded; then it is not fetched until half of them are.
const MOST: usize = 4_000;
/// How many bytes of payload.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What has come of a partition.
#[derive(Default)]
pub struct Lane {
    /// A run without a gap, with the offsets of their records.
    pub events: VecDeque<(Recorded, i64)>,
    pub bytes: usize,
    /// Up to where all is folded.
    pub folded: Position,
    pub is_paused: bool,
}

impl Lane {
    pub fn is_full(&self) -> bool {
        self.events.len() >= MOST || self.bytes >= MOST_BYTES
    }

    pub fn is_half_empty(&self) -> bool {
        self.events.len() <= MOST / 2 && self.bytes <= MOST_BYTES / 2
    }

    /// Forgets what is folded; the answer is the offset behind it.
    pub fn forget_folded(&mut self) -> Option<i64> {
        let mut behind = None;
        while self.events.front().is_some_and(|(event, _)| event.position <= self.folded) {
            if let Some((event, offset)) = self.events.pop_front() {
                self.bytes -= event.payload.len();
                behind = Some(offset);
            }
        }
        behind
    }

    /// At most `limit` events after a position, if the next one is here.
    pub fn after(&self, after: Position, limit: usize) -> Option<Vec<Recorded>> {
        let first = self.events.front()?.0.position;
        let start = usize::try_from(after + 1 - first).ok()?;
        (start < self.events.len()).then(|| self.events.range(start..).take(limit).map(|(event, _)| event.clone()).collect())
    }
}
