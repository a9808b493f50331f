//! What runs: the real relay, workers and policies, each call of which is slow.

use std::{future::Future, pin::Pin, time::Duration};

use command_api::policy;
use event_log::{
    Epochs, Partition,
    kafka::{Known, Relay, Topic, TopicError, TopicSource},
};
use projector::{Prepared, Step, Worker};
use rand::RngExt;

use crate::{
    broker::TOPIC,
    desk::Acting,
    group::Member,
    node::{Node, pause},
    rows::FromTopic,
    world::{USED, World},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Relay,
    Projector,
    Policy,
}

/// Goes on for ever, or ends with what it could not deal with.
type Task = Pin<Box<dyn Future<Output = String>>>;

pub struct Process {
    pub kind: Kind,
    pub tasks: Vec<Task>,
    /// It does not run until then.
    pub asleep_until: Duration,
    /// What a relay says has arrived.
    pub known: Known,
    /// A projector's place in the group.
    pub member: Option<Member>,
}

impl Process {
    pub fn start(kind: Kind, number: usize, world: &World, prepared: &[Prepared]) -> Self {
        // The clock of a process runs up to a fifth too fast or too slow.
        let rate = world.state().rng.random_range(0.8..1.25);
        let node = Node { world: world.clone(), number, rate };
        let (known, mut member) = (Known::default(), None);
        let tasks: Vec<Task> = match kind {
            Kind::Relay => vec![Box::pin(relay(node, known.clone()))],
            Kind::Policy => vec![Box::pin(react(node))],
            Kind::Projector => {
                let mut folded = world.state().furthest();
                // It was asked a while ago.
                folded.iter_mut().for_each(|position| *position = world.state().rng.random_range(0..=*position));
                let source = TopicSource::new(node.clone(), Topic::new("played:1", TOPIC, &Epochs::default()), folded);
                member = Some(Member::new(source.clone()));
                let worker = |partition| Worker::new(FromTopic(source.clone(), node.clone()), node.clone(), partition, prepared);
                Partition::all().take(USED).map(|partition| -> Task { Box::pin(fold(worker(partition), node.clone())) }).collect()
            }
        };
        Self { kind, tasks, asleep_until: Duration::ZERO, known, member }
    }
}

async fn relay(node: Node, known: Known) -> String {
    let mut relay = Relay::new(node.clone(), node, None, known);
    loop {
        match relay.step().await {
            Ok(_) | Err(TopicError::Database(_) | TopicError::Away { .. }) => pause().await,
            Err(error) => return format!("the relay gives up: {error}"),
        }
    }
}

async fn react(node: Node) -> String {
    let mut worker = policy::Worker::new(Acting(node));
    loop {
        // Whatever failed is tried again.
        let _ = worker.step().await;
        pause().await;
    }
}

async fn fold(mut worker: Worker<FromTopic, Node>, node: Node) -> String {
    loop {
        if worker.step().await == Step::Idle && node.world.state().chance(100) {
            worker.doubt();
        }
        pause().await;
    }
}
