//! The log and its database.

use std::{
    collections::HashMap,
    sync::OnceLock,
    time::{Duration, Instant},
};

use event_log::{Epochs, Heads, Partition, Position, Recorded, kafka::ports::Ledger};
use rand::RngExt;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    node::Node,
    world::{Flaw, State},
};

impl Ledger for Node {
    fn now(&self) -> Instant {
        self.clock()
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.world.state().heads.subscribe()
    }

    fn epochs(&self) -> &Epochs {
        static FIRST: OnceLock<Epochs> = OnceLock::new();
        FIRST.get_or_init(Epochs::default)
    }

    async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        self.ask(|state| page(state, partition, after, limit)).await
    }

    async fn read_sealed(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        self.read(partition, after, limit).await
    }

    async fn unseal(&self, events: Vec<Recorded>) -> Result<Vec<Recorded>, sqlx::Error> {
        self.ask(|_| events).await
    }

    async fn relayed(&self, _: &str) -> Result<Heads, sqlx::Error> {
        self.ask(|state| state.relayed).await
    }

    async fn store_relayed(&self, _: &str, positions: &[(Partition, Position)], also_back: bool) -> Result<(), sqlx::Error> {
        self.ask(|state| {
            for (partition, position) in positions {
                let relayed = &mut state.relayed[partition.index()];
                *relayed = if also_back { *position } else { *position.max(relayed) };
            }
        })
        .await
    }

    async fn leases(&self, names: &[String], owner: Uuid, ttl: Duration) -> Result<HashMap<String, i64>, sqlx::Error> {
        self.ask(|state| {
            state.owners.insert(self.number, owner);
            names.iter().filter_map(|name| Some((name.clone(), lease(state, name, owner, ttl)?))).collect()
        })
        .await
    }

    async fn release(&self, names: &[String], owner: Uuid) -> Result<(), sqlx::Error> {
        self.ask(|state| names.iter().for_each(|name| release(state, name, owner))).await
    }

    async fn held(&self, prefix: &str) -> Result<i64, sqlx::Error> {
        self.ask(|state| {
            let now = state.now;
            state.leases.iter().filter(|(name, (_, _, until))| name.starts_with(prefix) && *until >= now).count() as i64
        })
        .await
    }
}

/// A page, which may be shorter than it could be.
pub fn page(state: &mut State, partition: Partition, after: Position, limit: usize) -> Vec<Recorded> {
    let limit = limit.min(state.rng.random_range(1..6));
    let hole = state.flaw == Some(Flaw::HolesInTheLog) && state.chance(50);
    let Some(events) = state.log.get(partition.index()) else { return vec![] };
    events.iter().skip(after as usize + usize::from(hole)).take(limit).cloned().collect()
}

/// Takes or renews one; its epoch rises when its owner changes.
pub fn lease(state: &mut State, name: &str, owner: Uuid, ttl: Duration) -> Option<i64> {
    let (now, shared) = (state.now, state.flaw == Some(Flaw::SharedLeases));
    let (holder, epoch, until) = state.leases.entry(name.to_owned()).or_insert((owner, 1, now));
    if *holder != owner && *until >= now && !shared {
        return None;
    }
    *epoch += i64::from(*holder != owner);
    (*holder, *until) = (owner, now + ttl);
    Some(*epoch)
}

pub fn release(state: &mut State, name: &str, owner: Uuid) {
    if let Some((holder, _, until)) = state.leases.get_mut(name)
        && *holder == owner
    {
        *until = Duration::ZERO;
    }
}
