//! The policies' tables, and the commands by which they react.

use std::time::{Duration, Instant};

use command_api::policy::Desk;
use event_log::{Heads, Partition, Position, Recorded};
use service_kit::{Problem, Slug};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    ledger::{lease, release},
    node::{Node, away},
    world::{Flaw, REFUSED, State},
};

/// A policy's process.
pub struct Acting(pub Node);

impl Desk for Acting {
    const NAME: &'static str = "played";

    fn now(&self) -> Instant {
        self.0.clock()
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.0.world.state().heads.subscribe()
    }

    async fn read(&self, partition: Partition, after: Position, to: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        self.0
            .ask(|state| {
                let Some(events) = state.log.get(partition.index()) else { return vec![] };
                let wanted = |event: &&Recorded| event.position > after && event.position <= to && State::concerns(event);
                events.iter().filter(wanted).take(limit.min(3)).cloned().collect()
            })
            .await
    }

    async fn position(&self, partition: Partition) -> Result<Position, sqlx::Error> {
        self.0.ask(|state| state.seen_through.get(partition.index()).copied().unwrap_or(0)).await
    }

    async fn done(&self, partition: Partition, position: Position) -> Result<(), sqlx::Error> {
        self.0
            .ask(|state| {
                let index = partition.index();
                let passed: Vec<_> = state.log[index].iter().take(position as usize).filter(|event| State::concerns(event)).collect();
                let seen_to = |event: &&Recorded| state.effects.contains_key(&event.event_id) || state.parked.contains(&event.event_id);
                let all = passed.iter().all(seen_to);
                state.must(all, || format!("the policy passes {index}.{position} without having seen to all before it"));
                state.seen_through[index] = position.max(state.seen_through[index]);
            })
            .await
    }

    async fn lease(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<bool, sqlx::Error> {
        Ok(self.0.ask(|state| lease(state, name, owner, ttl)).await?.is_some())
    }

    async fn release(&self, name: String, owner: Uuid) -> Result<(), sqlx::Error> {
        self.0.ask(|state| release(state, &name, owner)).await
    }

    /// The command is known by the event's id when it comes again.
    async fn react(&self, event: &Recorded) -> Result<(), Problem> {
        if event.position % REFUSED == 0 {
            self.0.world.state().count("a command of a policy was refused");
            return Err(Problem::new(Slug::Conflict, "refused for good"));
        }
        let done = self.0.ask(|state| {
            let forgotten = state.flaw == Some(Flaw::ForgottenCommands);
            let effects = state.effects.entry(event.event_id).or_insert(0);
            if *effects > 0 && !forgotten {
                state.count("a command of a policy came again");
                return;
            }
            *effects += 1;
        });
        done.await.map_err(|_| Problem::unavailable(away()))
    }

    async fn park(&self, event: &Recorded, _: &str) -> Result<(), sqlx::Error> {
        self.0.ask(|state| _ = state.parked.insert(event.event_id)).await
    }
}

impl State {
    /// Each event that concerns the policy has had its effect once, or lies aside.
    pub fn is_seen_to(&mut self) -> bool {
        let concerned: Vec<_> = self.log.iter().flatten().filter(|event| Self::concerns(event)).map(|event| event.event_id).collect();
        let twice = self.effects.values().any(|effects| *effects > 1);
        self.must(!twice, || "a command of a policy took effect twice".into());
        concerned.iter().all(|id| self.effects.contains_key(id) || self.parked.contains(id))
    }
}
