//! Decides a batch of appends, purely: given what the database holds, what becomes of each wish and what is to be written.
//!
//! Wishes are judged one after the other, each on what the ones before it left, so a batch means the same as its members
//! alone. Both databases share this; they differ only in how facts are fetched and rows are written.

mod linked;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Append, Claim, ClaimChange, NewEvent, Outcome, Partition, Position, Read, Remembered, StreamRow, Version, command_key::Key};

pub use linked::{LinkKey, Linked};

/// The head of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub position: Position,
    pub recorded_at: DateTime<Utc>,
}

/// What the database holds, of all that a batch mentions. Read under the lock.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub heads: BTreeMap<Partition, Head>,
    pub streams: HashMap<Uuid, StreamRow>,
    pub claims: HashMap<Claim, Uuid>,
    pub links: HashMap<LinkKey, Linked>,
    pub keys: HashMap<Key, KeyRow>,
    /// The ids and positions of the events at some places: where a wish that comes too late wants its first one, and the last one that a
    /// wish knows.
    pub places: HashMap<(Uuid, Version), (Uuid, Position)>,
}

/// What is kept of a command that came with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    pub fingerprint: Key,
    pub remembered: Remembered,
    /// Seconds since 1970.
    pub expires_at: Option<i64>,
}

/// What is to be written.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    pub events: Vec<Planned>,
    pub heads: BTreeMap<Partition, Head>,
    pub streams: BTreeMap<Uuid, StreamRow>,
    /// `None`: the name is free again.
    pub claims: BTreeMap<Claim, Option<Uuid>>,
    /// Those of them that the database holds so far, and that are given back.
    pub freed: BTreeSet<Claim>,
    /// Whether the entry (kind, key, stream) is there afterwards.
    pub links: BTreeMap<(&'static str, Uuid, Uuid), bool>,
    pub keys: BTreeMap<Key, KeyRow>,
}

impl Plan {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.keys.is_empty()
    }
}

/// Event `event` of wish `wish`, with its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Planned {
    pub wish: usize,
    pub event: usize,
    pub position: Position,
    pub version: Version,
    pub recorded_at: DateTime<Utc>,
}

/// What a batch needs to know.
pub fn streams_of(batch: &[Append]) -> BTreeSet<Uuid> {
    let read = batch.iter().flat_map(|wish| &wish.reads).filter_map(|read| match read {
        Read::Version { stream_id, .. } => Some(*stream_id),
        Read::AtMost { .. } => None,
    });
    batch.iter().map(|wish| wish.stream_id).chain(read).collect()
}

/// What a batch needs to know.
pub fn claims_of(batch: &[Append]) -> BTreeSet<Claim> {
    let changes = batch.iter().flat_map(|wish| &wish.claims);
    changes.map(|change| change.claim()).collect()
}

/// What a batch needs to know.
pub fn links_of(batch: &[Append]) -> BTreeSet<LinkKey> {
    let reads = batch.iter().flat_map(|wish| &wish.reads);
    reads
        .filter_map(|read| match read {
            Read::AtMost { kind, key, .. } => Some((*kind, *key)),
            Read::Version { .. } => None,
        })
        .collect()
}

/// What a batch needs to know.
pub fn keys_of(batch: &[Append]) -> BTreeSet<Key> {
    batch.iter().filter_map(|wish| wish.key.as_ref()).map(|key| key.key).collect()
}

/// What a batch needs to know once its streams are known.
pub fn places_of(batch: &[Append], streams: &HashMap<Uuid, StreamRow>) -> BTreeSet<(Uuid, Version)> {
    let version = |wish: &Append| streams.get(&wish.stream_id).map_or(0, |row| row.version);
    let late = batch.iter().filter(|wish| version(wish) > wish.expected).map(|wish| (wish.stream_id, wish.expected + 1));
    let known = batch.iter().filter(|wish| wish.after.is_some() && version(wish) >= wish.expected);
    late.chain(known.map(|wish| (wish.stream_id, wish.expected))).collect()
}

/// Judges every wish of a batch, in order.
pub fn judge(batch: &[Append], mut facts: Facts, now: DateTime<Utc>) -> (Vec<Outcome>, Plan) {
    let mut plan = Plan::default();
    let outcomes = batch.iter().enumerate().map(|(wish, append)| one(wish, append, &mut facts, &mut plan, now)).collect();
    (outcomes, plan)
}

fn one(wish: usize, append: &Append, facts: &mut Facts, plan: &mut Plan, now: DateTime<Utc>) -> Outcome {
    match settled(append, facts, now) {
        Some(outcome) => outcome,
        None => accept(wish, append, facts, plan, now),
    }
}

/// What is to be said without writing anything.
fn settled(append: &Append, facts: &Facts, now: DateTime<Utc>) -> Option<Outcome> {
    if let Some(outcome) = repeated(append, facts, now) {
        return Some(outcome);
    }
    let row = facts.streams.get(&append.stream_id);
    if row.is_some_and(|row| row.kind != append.kind || row.partition != append.partition) {
        return Some(Outcome::AnotherStream);
    }
    if let Some(position) = resent(append, facts) {
        let version = append.expected + append.events.len() as Version;
        return Some(Outcome::Appended { version, position: position + append.events.len() as Position - 1 });
    }
    let actual = row.map_or(0, |row| row.version);
    let is_after = |event_id| facts.places.get(&(append.stream_id, append.expected)).is_some_and(|(found, _)| *found == event_id);
    if actual != append.expected || !append.after.is_none_or(is_after) {
        return Some(Outcome::Conflict { actual });
    }
    if let Some(stale) = append.reads.iter().find(|read| !holds(read, facts)) {
        return Some(Outcome::Stale(stale.clone()));
    }
    let taken = |change: &ClaimChange| match change {
        ClaimChange::Take(claim) => facts.claims.get(claim).is_some_and(|holder| *holder != append.stream_id).then_some(*claim),
        ClaimChange::GiveBack(_) => None,
    };
    append.claims.iter().find_map(taken).map(Outcome::ClaimTaken)
}

/// What a command with the same key came to.
fn repeated(append: &Append, facts: &Facts, now: DateTime<Utc>) -> Option<Outcome> {
    let key = append.key.as_ref()?;
    let row = facts.keys.get(&key.key).filter(|row| row.expires_at.is_none_or(|at| at > now.timestamp()))?;
    Some(if row.fingerprint == key.fingerprint { Outcome::Replayed(row.remembered.clone()) } else { Outcome::KeyReused })
}

/// The position of the wish's first event, if it is there already: the wish was sent before, and the answer got lost.
fn resent(append: &Append, facts: &Facts) -> Option<Position> {
    let (event_id, position) = facts.places.get(&(append.stream_id, append.expected + 1))?;
    (append.events.first()?.event_id == *event_id).then_some(*position)
}

fn holds(read: &Read, facts: &Facts) -> bool {
    match read {
        Read::Version { stream_id, version } => facts.streams.get(stream_id).map_or(0, |row| row.version) == *version,
        Read::AtMost { kind, key, links } => facts.links.get(&(*kind, *key)).is_none_or(|found| found.count <= *links),
    }
}

fn accept(wish: usize, append: &Append, facts: &mut Facts, plan: &mut Plan, now: DateTime<Utc>) -> Outcome {
    let head = facts.heads.entry(append.partition).or_insert(Head { position: 0, recorded_at: now });
    if !append.events.is_empty() {
        head.recorded_at = head.recorded_at.max(now);
    }
    let first = head.position + 1;
    for (event, NewEvent { event_id, .. }) in append.events.iter().enumerate() {
        head.position += 1;
        let version = append.expected + 1 + event as Version;
        facts.places.insert((append.stream_id, version), (*event_id, head.position));
        plan.events.push(Planned { wish, event, position: first + event as Position, version, recorded_at: head.recorded_at });
    }
    plan.heads.insert(append.partition, *head);

    let version = append.expected + append.events.len() as Version;
    if !append.events.is_empty() {
        let row = StreamRow { kind: append.kind.into(), partition: append.partition, version };
        facts.streams.insert(append.stream_id, row.clone());
        plan.streams.insert(append.stream_id, row);
    }
    let position = first - 1 + append.events.len() as Position;
    remember(append, facts, plan, (version, position), now);
    change_claims(append, facts, plan);
    for link in &append.links {
        plan.links.insert((link.kind, link.key, append.stream_id), link.present);
        if let Some(linked) = facts.links.get_mut(&(link.kind, link.key)) {
            linked.change(append.stream_id, link.present);
        }
    }
    Outcome::Appended { version, position }
}

fn remember(append: &Append, facts: &mut Facts, plan: &mut Plan, (version, position): (Version, Position), now: DateTime<Utc>) {
    let Some(key) = &append.key else { return };
    let Append { stream_id, partition, expected, .. } = *append;
    let remembered = Remembered { stream_id, partition, expected, version, position };
    let expires_at = key.kept_for.map(|kept| now.timestamp().saturating_add_unsigned(kept.as_secs()));
    let row = KeyRow { fingerprint: key.fingerprint, remembered, expires_at };
    facts.keys.insert(key.key, row.clone());
    plan.keys.insert(key.key, row);
}

fn change_claims(append: &Append, facts: &mut Facts, plan: &mut Plan) {
    for change in &append.claims {
        match change {
            ClaimChange::Take(claim) => {
                if facts.claims.insert(*claim, append.stream_id) != Some(append.stream_id) {
                    plan.claims.insert(*claim, Some(append.stream_id));
                }
            }
            ClaimChange::GiveBack(claim) if facts.claims.get(claim) == Some(&append.stream_id) => {
                facts.claims.remove(claim);
                if plan.claims.insert(*claim, None).is_none() {
                    plan.freed.insert(*claim);
                }
            }
            ClaimChange::GiveBack(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
