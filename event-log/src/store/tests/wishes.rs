//! Batches by chance: what is accepted, and every way of not being.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::Index};

use super::{super::*, world::World};
use crate::{Actor, ClaimChange, CommandKey, Key, LinkChange, NewEvent, Read};

pub const PLACES: u16 = 3;
const STREAMS: u128 = 5;

/// A wish that is not yet measured against what has happened.
#[derive(Clone, Debug)]
pub enum Idea {
    New(New),
    /// One of before, sent again as it was.
    Again(Index),
}

#[derive(Clone, Debug)]
pub struct New {
    stream: u128,
    another_kind: bool,
    another_partition: bool,
    /// Takes it that the wish before, of the same stream, is accepted.
    hopeful: bool,
    /// From the version that the stream has, or is hoped to have.
    off: i64,
    /// Told after which event; the right one, or another.
    after: Option<bool>,
    events: usize,
    reads: Vec<(u128, i64)>,
    at_most: Option<(u128, i64)>,
    claims: Vec<(u8, bool)>,
    links: Vec<(u128, bool)>,
    key: Option<(u8, u8, Option<Duration>)>,
}

/// How often things go wrong.
#[derive(Clone, Copy)]
struct Mood {
    /// Once in so many times.
    wrong: u32,
    names: u8,
    takes: f64,
    keys: u8,
    links: i64,
}

/// Most batches are accepted as a whole.
const CALM: Mood = Mood { wrong: 100, names: 60, takes: 0.95, keys: 200, links: 50 };
/// Hardly any is.
const WILD: Mood = Mood { wrong: 12, names: 2, takes: 0.5, keys: 12, links: 0 };

fn seldom<T: std::fmt::Debug + Clone>(mood: Mood, default: T, other: impl Strategy<Value = T>) -> impl Strategy<Value = T> {
    prop_oneof![mood.wrong => Just(default), 1 => other]
}

prop_compose! {
    fn new(mood: Mood)(
        stream in 0..STREAMS,
        another_kind in seldom(mood, false, Just(true)),
        another_partition in seldom(mood, false, Just(true)),
        hopeful in any::<bool>(),
        off in seldom(mood, 0, -3..=3i64),
        after in option::weighted(0.3, seldom(mood, true, Just(false))),
        events in prop_oneof![6 => 1..3usize, 1 => Just(0)],
        reads in vec((0..STREAMS, seldom(mood, 0, -1..=1i64)), 0..2),
        at_most in option::weighted(0.2, (0..2u128, mood.links..mood.links + 4)),
        claims in prop_oneof![2 => Just(vec![]), 1 => vec((0..mood.names, prop::bool::weighted(mood.takes)), 1..3)],
        links in prop_oneof![3 => Just(vec![]), 1 => vec((0..2u128, any::<bool>()), 1..3)],
        key in option::weighted(0.3, (0..mood.keys, seldom(mood, 0, Just(1u8)), kept_for())),
    ) -> New {
        New { stream, another_kind, another_partition, hopeful, off, after, events, reads, at_most, claims, links, key }
    }
}

fn kept_for() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![Just(None), Just(Some(Duration::ZERO)), Just(Some(Duration::from_secs(3_600)))]
}

fn moody(mood: Mood) -> impl Strategy<Value = Vec<Idea>> {
    vec(prop_oneof![mood.wrong => new(mood).prop_map(Idea::New), 1 => any::<Index>().prop_map(Idea::Again)], 1..60)
}

pub fn ideas() -> impl Strategy<Value = Vec<Idea>> {
    prop_oneof![moody(CALM), moody(WILD)]
}

impl Idea {
    /// The wish, with versions as the world has them now.
    pub fn wish(&self, world: &World, before: &[Append]) -> Append {
        match self {
            Self::Again(which) if !before.is_empty() => before[which.index(before.len())].clone(),
            Self::Again(_) => New::default().wish(world, before),
            Self::New(new) => new.wish(world, before),
        }
    }
}

impl Default for New {
    fn default() -> Self {
        Self {
            stream: 0,
            another_kind: false,
            another_partition: false,
            hopeful: false,
            off: 0,
            after: None,
            events: 1,
            reads: vec![],
            at_most: None,
            claims: vec![],
            links: vec![],
            key: None,
        }
    }
}

impl New {
    fn wish(&self, world: &World, before: &[Append]) -> Append {
        let stream_id = Uuid::from_u128(self.stream);
        let last = before.iter().rfind(|wish| wish.stream_id == stream_id).filter(|_| self.hopeful);
        let expected = self.off + last.map_or(world.version(stream_id), |last| last.expected + last.events.len() as Version);
        let place = self.stream as u16 + u16::from(self.another_partition);
        let key = self.key.map(|(key, body, kept_for)| CommandKey { key: Key([key; 32]), fingerprint: Key([body; 32]), kept_for });
        Append {
            stream_id,
            kind: if self.another_kind { "other" } else { "thing" },
            partition: Partition::new(place % PLACES).expect("there are more"),
            expected,
            after: self.after.map(|right| world.event(stream_id, expected).filter(|_| right).unwrap_or_default()),
            events: (0..self.events.max(usize::from(key.is_none()))).map(|_| event()).collect(),
            metadata: Metadata {
                actor: Actor::System("test".into()),
                subject_id: None,
                correlation_id: "é \"\\".into(),
                causation_id: None,
                traceparent: None,
            },
            reads: self.reads(world),
            claims: self.claims.iter().map(|(name, take)| claim(*name, *take)).collect(),
            links: self
                .links
                .iter()
                .map(|(key, present)| LinkChange { kind: "of", key: Uuid::from_u128(*key), present: *present })
                .collect(),
            key,
        }
    }

    fn reads(&self, world: &World) -> Vec<Read> {
        let version = |(stream, off): &(u128, i64)| {
            let stream_id = Uuid::from_u128(*stream);
            Read::Version { stream_id, version: world.version(stream_id) + off }
        };
        let at_most = self.at_most.map(|(key, links)| Read::AtMost { kind: "of", key: Uuid::from_u128(key), links });
        self.reads.iter().map(version).chain(at_most).collect()
    }
}

fn claim(name: u8, take: bool) -> ClaimChange {
    let claim = Claim([name; 32]);
    if take { ClaimChange::Take(claim) } else { ClaimChange::GiveBack(claim) }
}

fn event() -> NewEvent {
    NewEvent {
        event_id: Uuid::now_v7(),
        event_type: "Happened",
        schema_version: 3,
        payload: r#"{"text":"naïve \"🍕\" \\ \n \u0000"}"#.into(),
    }
}
