//! The consumer group: who fetches which partition of the topic, and from where.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use event_log::kafka::{TopicSource, ports::Fetch};
use rand::RngExt;

use crate::{
    node::Node,
    world::{State, USED},
};

/// A member, as its client library knows it.
pub struct Member {
    pub source: TopicSource<Node>,
    /// From where it fetches; it may not have been told yet that somebody else does now.
    fetched: RefCell<BTreeMap<usize, usize>>,
    paused: RefCell<BTreeSet<usize>>,
    /// What it is to have, once it is told.
    pub wanted: BTreeSet<usize>,
}

impl Fetch for Member {
    fn pause(&self, partition: usize) -> bool {
        self.paused.borrow_mut().insert(partition);
        true
    }

    fn resume(&self, partition: usize) -> bool {
        self.paused.borrow_mut().remove(&partition);
        true
    }

    fn commit(&self, _: usize, _: i64) {}
}

impl Member {
    pub fn new(source: TopicSource<Node>) -> Self {
        Self { source, fetched: RefCell::default(), paused: RefCell::default(), wanted: BTreeSet::new() }
    }

    /// It is told what it has to fetch.
    pub fn tell(&self) {
        let intake = self.source.intake();
        if self.wanted.iter().eq(self.fetched.borrow().keys()) {
            return;
        }
        intake.revoke();
        let begin = intake.assign(self.wanted.iter().copied());
        *self.fetched.borrow_mut() = begin.into_iter().map(|(partition, offset)| (partition, offset as usize)).collect();
        self.paused.borrow_mut().clear();
    }

    /// Records come.
    pub fn fetch(&self, state: &mut State) {
        let partitions: Vec<_> = self.fetched.borrow().keys().copied().filter(|one| !self.paused.borrow().contains(one)).collect();
        for partition in partitions {
            let held = state.topic[partition].len();
            let mut fetched = self.fetched.borrow_mut();
            let Some(offset) = fetched.get_mut(&partition) else { continue };
            // Of a topic that has lost its end: from the beginning.
            if *offset > held {
                *offset = 0;
            }
            let until = held.min(*offset + state.rng.random_range(1..=4));
            for at in *offset..until {
                let (position, _) = state.topic[partition][at];
                let event = state.log[partition][position as usize - 1].clone();
                self.source.intake().take(event, at as i64, self);
            }
            *offset = until;
        }
        self.source.intake().give_room(self);
    }

    /// What was fetched is fetched again.
    pub fn seek_back(&self, state: &mut State) {
        for offset in self.fetched.borrow_mut().values_mut() {
            *offset = state.rng.random_range(0..=*offset);
        }
    }
}

/// Shares the partitions out anew.
pub fn share_out<'a>(state: &mut State, members: impl Iterator<Item = &'a mut Member>) {
    let mut members: Vec<_> = members.collect();
    members.iter_mut().for_each(|member| member.wanted.clear());
    for partition in 0..USED {
        let chosen = state.rng.random_range(0..members.len());
        members[chosen].wanted.insert(partition);
    }
}
