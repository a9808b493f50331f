//! Which partitions are ours, until when, and a fair share of them. Leases are taken on demand: where nothing is to be sent nothing is written.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Relay;
use crate::{
    Heads, PARTITIONS, Partition, Position,
    kafka::{
        TopicError,
        ports::{Broker, Ledger},
    },
};

/// How long a partition is ours when nothing more is heard of us.
const LEASE: Duration = Duration::from_secs(4);
/// How often a lease that is used is renewed.
const RENEW: Duration = Duration::from_secs(1);
/// How often one asks for what another one has.
const ASK: Duration = Duration::from_millis(500);

/// A partition, as far as it is ours.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    pub lease: Option<Lease>,
    /// Up to where records were handed over; `None`: to be asked of the topic.
    pub sent: Option<Position>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    epoch: i64,
    asked_at: Instant,
}

impl Lease {
    pub fn may_send(self, now: Instant) -> bool {
        now - self.asked_at < LEASE / 2
    }

    fn is_held(self, now: Instant) -> bool {
        now - self.asked_at < LEASE
    }
}

impl<L: Ledger, B: Broker> Relay<L, B> {
    fn lease_of(&self, partition: Partition) -> String {
        format!("relay/{}/{}", self.topic.name(), partition.number())
    }

    /// Renews what is in use; asks for what waits; leaves what is more than a fair share.
    pub(super) async fn hold_leases(&mut self, heads: &Heads) -> Result<(), TopicError> {
        let (now, arrived) = (self.log.now(), self.arrivals());
        let is_used = |lane: &Lane, p: usize| lane.sent.is_none_or(|sent| sent < heads[p] || sent > arrived[p]);
        let used = |partition: &Partition| is_used(&self.lanes[partition.index()], partition.index());
        let held = |partition: &Partition| self.lanes[partition.index()].lease.is_some_and(|lease| now - lease.asked_at < RENEW);
        let mut asked: Vec<_> = Partition::all().filter(|p| heads[p.index()] > 0).filter(used).collect();
        if asked.iter().all(held) {
            return Ok(());
        }
        if self.asked_at.is_some_and(|at| now - at < ASK) && !asked.iter().any(|p| self.is_ours(*p) && !held(p)) {
            return Ok(());
        }
        // Others may have come further with what is not ours.
        let stored = self.log.relayed(self.topic.name()).await?;
        for partition in Partition::all() {
            let index = partition.index();
            if self.is_ours(partition) {
                continue;
            }
            self.stored[index] = stored[index];
            if self.lanes[index].sent.is_some_and(|sent| sent < stored[index]) {
                self.lanes[index] = Lane::default();
            }
        }
        asked.retain(|p| self.is_ours(*p) || self.stored[p.index()] < heads[p.index()]);
        if asked.is_empty() {
            self.asked_at = Some(self.log.now());
            return Ok(());
        }
        self.ask(asked).await
    }

    pub(super) fn is_ours(&self, partition: Partition) -> bool {
        self.lanes[partition.index()].lease.is_some_and(|lease| lease.is_held(self.log.now()))
    }

    async fn ask(&mut self, mut asked: Vec<Partition>) -> Result<(), TopicError> {
        let members = format!("relay/{}/member/", self.topic.name());
        let asked_at = self.log.now();
        self.log.leases(&[format!("{members}{}", self.owner)], self.owner, LEASE).await?;
        let others = self.log.held(&members).await?.max(1);
        let share = usize::from(PARTITIONS).div_ceil(usize::try_from(others).unwrap_or(1));
        asked.sort_by_key(|partition| !self.is_ours(*partition));
        self.leave(&asked.split_off(share.min(asked.len()))).await?;
        let names: Vec<_> = asked.iter().map(|partition| self.lease_of(*partition)).collect();
        let taken: HashMap<String, i64> = self.log.leases(&names, self.owner, LEASE).await?;
        self.asked_at = Some(asked_at);
        for partition in asked {
            let epoch = taken.get(&self.lease_of(partition));
            let lane = &mut self.lanes[partition.index()];
            // Somebody else had it in between: where the topic ends now is not known.
            if lane.lease.map(|lease| lease.epoch) != epoch.copied() {
                lane.sent = None;
            }
            lane.lease = epoch.map(|epoch| Lease { epoch: *epoch, asked_at });
        }
        Ok(())
    }

    /// What is on its way may arrive before another one begins: it would only be sent twice.
    pub(super) async fn leave(&mut self, partitions: &[Partition]) -> Result<(), TopicError> {
        let leaving: Vec<_> = partitions.iter().filter(|partition| self.is_ours(**partition)).map(|p| self.lease_of(*p)).collect();
        for partition in partitions {
            self.lanes[partition.index()] = Lane::default();
        }
        if leaving.is_empty() { Ok(()) } else { Ok(self.log.release(&leaving, self.owner).await?) }
    }
}
