//! What comes of the partitions that are ours, until it is folded.

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use tokio::sync::{Notify, watch};

use super::lane::Lane;
use crate::{Heads, Partition, Position, Recorded, kafka::ports::Fetch};

/// What has come of each partition. Positions that were seen are skipped; behind a gap it goes on, and who follows reads the gap from the log.
pub struct Intake {
    lanes: Vec<Mutex<Lane>>,
    pub(super) heads: watch::Sender<Heads>,
    /// Somebody has folded something.
    pub(super) changed: Notify,
    assigned: Mutex<HashSet<usize>>,
    pub(super) rebalances: AtomicU64,
    /// How often events were missing between two records.
    pub(super) gaps: AtomicU64,
}

impl Intake {
    pub(super) fn new(folded: Heads) -> Self {
        let lane = |folded: Position| Mutex::new(Lane { folded, ..Lane::default() });
        Self {
            lanes: folded.into_iter().map(lane).collect(),
            heads: watch::Sender::new(folded),
            changed: Notify::new(),
            assigned: Mutex::default(),
            rebalances: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
        }
    }

    fn lane(&self, partition: usize) -> MutexGuard<'_, Lane> {
        self.lanes[partition].lock().expect("no panic while it is held")
    }

    fn ours(&self) -> MutexGuard<'_, HashSet<usize>> {
        self.assigned.lock().expect("no panic while it is held")
    }

    /// How many partitions are ours.
    pub fn partitions(&self) -> usize {
        self.ours().len()
    }

    /// These partitions are ours from now on; the answer is the offset at which each begins: where it is folded.
    pub fn assign(&self, partitions: impl IntoIterator<Item = usize>) -> Vec<(usize, i64)> {
        self.rebalances.fetch_add(1, SeqCst);
        let mut begin = vec![];
        for partition in partitions {
            let mut lane = self.lane(partition);
            let folded = lane.folded;
            *lane = Lane { folded, ..Lane::default() };
            begin.push((partition, folded));
        }
        *self.ours() = begin.iter().map(|(partition, _)| *partition).collect();
        begin
    }

    /// None are ours any more.
    pub fn revoke(&self) {
        self.rebalances.fetch_add(1, SeqCst);
        self.ours().clear();
    }

    /// Takes an event that has come with a record at an offset.
    pub fn take(&self, event: Recorded, offset: i64, fetch: &impl Fetch) {
        let (partition, position) = (event.partition.index(), event.position);
        let mut lane = self.lane(partition);
        forget_folded(partition, &mut lane, fetch);
        let last = lane.events.back().map_or(lane.folded, |(event, _)| event.position);
        if position <= last {
            return;
        }
        if position > last + 1 {
            self.gaps.fetch_add(1, SeqCst);
            tracing::warn!(partition, position, last, "the topic has a gap; it is read from the log");
            lane.events.clear();
            lane.bytes = 0;
        }
        lane.bytes += event.payload.len();
        lane.events.push_back((event, offset));
        if lane.is_full() && !lane.is_paused {
            lane.is_paused = fetch.pause(partition);
        }
        drop(lane);
        self.heads.send_modify(|heads| heads[partition] = position);
    }

    /// Goes on fetching where enough has been folded.
    pub fn give_room(&self, fetch: &impl Fetch) {
        let ours: Vec<_> = self.ours().iter().copied().collect();
        for partition in ours {
            let mut lane = self.lane(partition);
            forget_folded(partition, &mut lane, fetch);
            if lane.is_paused && lane.is_half_empty() {
                lane.is_paused = !fetch.resume(partition);
            }
        }
    }

    pub(super) fn after(&self, partition: Partition, after: Position, limit: usize) -> Option<Vec<Recorded>> {
        self.lane(partition.index()).after(after, limit)
    }

    pub(super) fn folded(&self, partition: Partition, position: Position) {
        self.lane(partition.index()).folded = position;
        // It is there, wherever it came from: should the fold be lost it has to be done again.
        self.heads.send_if_modified(|heads| {
            let head = &mut heads[partition.index()];
            let further = position > *head;
            *head = position.max(*head);
            further
        });
        self.changed.notify_one();
    }
}

/// And has it committed.
fn forget_folded(partition: usize, lane: &mut Lane, fetch: &impl Fetch) {
    if let Some(offset) = lane.forget_folded() {
        fetch.commit(partition, offset);
    }
}
