//! The topic and its brokers, and the relay's way to them.

use std::{collections::HashMap, sync::Arc};

use event_log::{
    Epochs, Heads, Partition, Recorded,
    kafka::{
        Making, Quiet, TopicError,
        ports::{Broker, Produce},
        producer::Arrivals,
        topic::End,
    },
};
use rand::RngExt;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::Notify;

use crate::{
    node::{Node, pause},
    world::{Flaw, Session, State, USED},
};

pub const TOPIC: &str = "tizza.events";

/// A producer; it is known by its session's number.
pub struct Producer {
    node: Node,
    session: usize,
    arrivals: Arrivals,
}

impl Broker for Node {
    type Producer = Producer;

    fn name(&self) -> &str {
        TOPIC
    }

    fn servers(&self) -> &str {
        "played"
    }

    async fn ready(&self, _: Option<Making>) -> Result<(), TopicError> {
        self.answered(|_| ()).await
    }

    async fn ends(&self, partitions: Vec<Partition>) -> Result<HashMap<Partition, End>, TopicError> {
        self.answered(|state| {
            let last = |partition: &Partition| state.topic.get(partition.index())?.last().copied();
            let end = |partition: Partition| last(&partition).map(|(position, event_id)| (partition, End { position, event_id }));
            partitions.into_iter().filter_map(end).collect()
        })
        .await
    }

    fn producer(&self, from: Heads, changed: Arc<Notify>) -> Result<Producer, TopicError> {
        let arrivals = Arrivals::new(from, changed, Quiet::default());
        let mut state = self.world.state();
        state.sessions.push(Session {
            arrivals: arrivals.clone(),
            is_orphan: false,
            on_their_way: Default::default(),
            untold: Default::default(),
        });
        Ok(Producer { node: self.clone(), session: state.sessions.len() - 1, arrivals })
    }
}

impl Node {
    async fn answered<T>(&self, look: impl FnOnce(&mut State) -> T) -> Result<T, TopicError> {
        pause().await;
        let answer = {
            let mut state = self.world.state();
            if state.brokers_away || (!state.healed && state.chance(20)) {
                let source = KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure);
                return Err(TopicError::Away { servers: "played".into(), source });
            }
            look(&mut state)
        };
        pause().await;
        Ok(answer)
    }
}

impl Produce for Producer {
    fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    fn send(&self, event: &Recorded, _: &Epochs) -> bool {
        let mut state = self.node.world.state();
        // Nothing follows a record that has failed (`enable.gapless.guarantee`).
        if self.arrivals.failure().is_some() || (!state.healed && state.chance(20)) {
            return false;
        }
        let partition = event.partition.index();
        let name = format!("relay/{TOPIC}/{}", event.partition.number());
        let (now, node) = (state.now, self.node.number);
        let ours = state.owners.get(&node).copied();
        let holds = state.leases.get(&name).is_some_and(|(owner, _, until)| Some(*owner) == ours && *until > now);
        state.must(holds, || format!("relay {node} sends to {partition} without the lease"));
        state.tell(|| format!("relay {node} sends {partition}.{} in session {}", event.position, self.session));
        state.sessions[self.session].on_their_way[partition].push_back((event.position, event.event_id));
        true
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.node.world.state().sessions[self.session].is_orphan = true;
    }
}

impl State {
    /// A record arrives, or the sender is told of one that has; the answer is whether there was one.
    pub fn deliver(&mut self, session: usize, partition: usize) -> bool {
        let told_first = self.healed || self.chance(500);
        if told_first && self.told_of_arrival(session, partition) {
            return true;
        }
        let Some((position, event_id)) = self.sessions[session].on_their_way[partition].pop_front() else { return false };
        if self.sessions[session].is_orphan {
            self.count("a record of a relay that is gone arrived");
        }
        let lost = self.flaw == Some(Flaw::LostRecords) && self.chance(30);
        if !lost {
            let held = &mut self.held[partition];
            if position == *held + 1 {
                *held = position;
            } else {
                let what = if position <= *held { "a record arrived twice" } else { "a record arrived behind a hole" };
                self.count(what);
            }
            self.topic[partition].push((position, event_id));
        }
        self.tell(|| format!("{partition}.{position} of session {session} arrived"));
        self.sessions[session].untold[partition].push_back(position);
        true
    }

    fn told_of_arrival(&mut self, session: usize, partition: usize) -> bool {
        let session = &mut self.sessions[session];
        let Some(position) = session.untold[partition].pop_front() else { return false };
        session.arrivals.arrive(partition, position);
        true
    }

    /// What a producer has on its way fails, as far as it knows.
    pub fn fail(&mut self, session: usize) {
        self.sessions[session].arrivals.fail(KafkaError::MessageProduction(RDKafkaErrorCode::RequestTimedOut));
        self.sessions[session].is_orphan = true;
        for partition in 0..USED {
            let on_their_way = self.sessions[session].on_their_way[partition].len();
            let (from, refused) = (self.rng.random_range(0..=on_their_way), self.rng.random_range(0..=on_their_way));
            // Brokers that do not know the producer yet take what comes behind a batch that they have refused.
            let to = if self.chance(500) { on_their_way } else { on_their_way.min(from + refused) };
            drop(self.sessions[session].on_their_way[partition].drain(from..to));
        }
    }

    /// The brokers come back without the last records of a partition: whatever was on its way has failed.
    pub fn lose(&mut self, partition: usize) {
        for session in 0..self.sessions.len() {
            if !self.sessions[session].is_orphan {
                self.fail(session);
            }
            self.sessions[session].on_their_way.iter_mut().for_each(std::collections::VecDeque::clear);
            self.sessions[session].untold.iter_mut().for_each(std::collections::VecDeque::clear);
        }
        let held = self.topic[partition].len();
        let kept = self.rng.random_range(0..=held);
        self.topic[partition].truncate(kept);
        self.held[partition] =
            self.topic[partition].iter().fold(0, |held, (position, _)| if *position == held + 1 { *position } else { held });
        self.has_lost = true;
        self.tell(|| format!("the topic has lost {} records of {partition}", held - kept));
    }

    /// Everything that is on its way.
    pub fn on_their_way(&self) -> Vec<(usize, usize)> {
        let places = (0..self.sessions.len()).flat_map(|session| (0..USED).map(move |partition| (session, partition)));
        let is_busy = |(session, partition): &(usize, usize)| {
            let session = &self.sessions[*session];
            !session.on_their_way[*partition].is_empty() || !session.untold[*partition].is_empty()
        };
        places.filter(is_busy).collect()
    }

    /// Nothing is said to have arrived that has not.
    pub fn check_arrived(&mut self, known: &Heads) {
        for (partition, said) in known.iter().copied().enumerate().take(USED) {
            let held = self.held[partition];
            let has_lost = self.has_lost;
            self.must(said <= held || has_lost, || format!("{partition}.{said} is said to have arrived, the topic holds {held}"));
        }
    }
}
