//! Decides a batch of appends, purely: given what the database holds, what becomes of each wish and what is to be written.
//!
//! Wishes are judged one after the other, each on what the ones before it left, so a batch means the same as its members
//! alone. Both databases share this; they differ only in how facts are fetched and rows are written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Append, Claim, ClaimChange, Outcome, Partition, Position, Read, StreamRow, Version};

/// The links of one kind under one key.
pub type LinkKey = (&'static str, Uuid);

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
    pub links: HashMap<LinkKey, i64>,
}

/// What is to be written.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    pub events: Vec<Planned>,
    pub heads: BTreeMap<Partition, Head>,
    pub streams: BTreeMap<Uuid, StreamRow>,
    /// `None`: the name is free again.
    pub claims: BTreeMap<Claim, Option<Uuid>>,
    /// Whether the entry (kind, key, stream) is there afterwards.
    pub links: BTreeMap<(&'static str, Uuid, Uuid), bool>,
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

/// Judges every wish of a batch, in order.
pub fn judge(batch: &[Append], mut facts: Facts, now: DateTime<Utc>) -> (Vec<Outcome>, Plan) {
    let mut plan = Plan::default();
    let outcomes = batch.iter().enumerate().map(|(wish, append)| one(wish, append, &mut facts, &mut plan, now)).collect();
    (outcomes, plan)
}

fn one(wish: usize, append: &Append, facts: &mut Facts, plan: &mut Plan, now: DateTime<Utc>) -> Outcome {
    match refusal(append, facts) {
        Some(refusal) => refusal,
        None => accept(wish, append, facts, plan, now),
    }
}

fn refusal(append: &Append, facts: &Facts) -> Option<Outcome> {
    let row = facts.streams.get(&append.stream_id);
    if row.is_some_and(|row| row.kind != append.kind || row.partition != append.partition) {
        return Some(Outcome::AnotherStream);
    }
    let actual = row.map_or(0, |row| row.version);
    if actual != append.expected {
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

fn holds(read: &Read, facts: &Facts) -> bool {
    match read {
        Read::Version { stream_id, version } => facts.streams.get(stream_id).map_or(0, |row| row.version) == *version,
        Read::AtMost { kind, key, links } => facts.links.get(&(*kind, *key)).is_none_or(|found| found <= links),
    }
}

fn accept(wish: usize, append: &Append, facts: &mut Facts, plan: &mut Plan, now: DateTime<Utc>) -> Outcome {
    let head = facts.heads.entry(append.partition).or_insert(Head { position: 0, recorded_at: now });
    head.recorded_at = head.recorded_at.max(now);
    let first = head.position + 1;
    for event in 0..append.events.len() {
        head.position += 1;
        let version = append.expected + 1 + event as Version;
        plan.events.push(Planned { wish, event, position: first + event as Position, version, recorded_at: head.recorded_at });
    }
    plan.heads.insert(append.partition, *head);

    let version = append.expected + append.events.len() as Version;
    let row = StreamRow { kind: append.kind.into(), partition: append.partition, version };
    facts.streams.insert(append.stream_id, row.clone());
    plan.streams.insert(append.stream_id, row);
    change_claims(append, facts, plan);
    for link in &append.links {
        plan.links.insert((link.kind, link.key, append.stream_id), link.present);
        if let Some(count) = facts.links.get_mut(&(link.kind, link.key)) {
            *count += if link.present { 1 } else { -1 };
        }
    }
    Outcome::Appended { version, position: first - 1 + append.events.len() as Position }
}

fn change_claims(append: &Append, facts: &mut Facts, plan: &mut Plan) {
    for change in &append.claims {
        match change {
            ClaimChange::Take(claim) => {
                facts.claims.insert(*claim, append.stream_id);
                plan.claims.insert(*claim, Some(append.stream_id));
            }
            ClaimChange::GiveBack(claim) if facts.claims.get(claim) == Some(&append.stream_id) => {
                facts.claims.remove(claim);
                plan.claims.insert(*claim, None);
            }
            ClaimChange::GiveBack(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Actor, LinkChange, Metadata, NewEvent};

    /// What a plan leaves in the database.
    fn apply(facts: &mut Facts, plan: Plan) {
        facts.heads.extend(plan.heads);
        facts.streams.extend(plan.streams);
        for (claim, holder) in plan.claims {
            match holder {
                Some(holder) => facts.claims.insert(claim, holder),
                None => facts.claims.remove(&claim),
            };
        }
        for ((kind, key, _), present) in plan.links {
            *facts.links.entry((kind, key)).or_default() += if present { 1 } else { -1 };
        }
    }

    prop_compose! {
        fn wish()(stream in 0..4u128, expected in 0..4i64, events in 1..3usize, read in prop::option::of((0..4u128, 0..4i64)),
                  claim in prop::option::of((0..3u8, any::<bool>())), at_most in prop::option::of(0..3i64)) -> Append {
            let stream_id = Uuid::from_u128(stream);
            let key = Uuid::from_u128(9);
            let version = read.map(|(s, version)| Read::Version { stream_id: Uuid::from_u128(s), version });
            Append {
                stream_id,
                kind: "thing",
                partition: Partition::of(stream_id),
                expected,
                events: vec![NewEvent { event_type: "Happened", schema_version: 1, payload: "{}".into() }; events],
                metadata: Metadata { actor: Actor::Anonymous, subject_id: None, correlation_id: String::new(), causation_id: None },
                reads: version.into_iter().chain(at_most.map(|links| Read::AtMost { kind: "k", key, links })).collect(),
                claims: claim.map(|(c, take)| if take { ClaimChange::Take(Claim([c; 32])) } else { ClaimChange::GiveBack(Claim([c; 32])) }).into_iter().collect(),
                links: if expected == 0 { vec![LinkChange { kind: "k", key, present: true }] } else { vec![] },
            }
        }
    }

    proptest! {
        /// A batch means the same as its members one by one, however it is cut.
        #[test]
        fn how_wishes_are_batched_changes_nothing(wishes in prop::collection::vec(wish(), 1..40), size in 1..40usize) {
            let now = DateTime::UNIX_EPOCH;
            let mut start = Facts::default();
            start.links.insert(("k", Uuid::from_u128(9)), 0);
            let in_batches_of = |size: usize| {
                let mut facts = start.clone();
                let outcomes: Vec<Outcome> = wishes.chunks(size).flat_map(|batch| {
                    let (outcomes, plan) = judge(batch, facts.clone(), now);
                    apply(&mut facts, plan);
                    outcomes
                }).collect();
                (outcomes, facts.heads, facts.claims.into_iter().collect::<BTreeMap<_, _>>())
            };
            prop_assert_eq!(in_batches_of(1), in_batches_of(size));
        }
    }

    #[test]
    fn times_never_decrease_when_the_clock_does() {
        let later = DateTime::from_timestamp(1_000, 0).unwrap();
        let mut facts = Facts::default();
        facts.heads.insert(Partition::of(Uuid::nil()), Head { position: 5, recorded_at: later });
        let wish = Append {
            stream_id: Uuid::nil(),
            kind: "thing",
            partition: Partition::of(Uuid::nil()),
            expected: 0,
            events: vec![NewEvent { event_type: "Happened", schema_version: 1, payload: "{}".into() }],
            metadata: Metadata { actor: Actor::Anonymous, subject_id: None, correlation_id: String::new(), causation_id: None },
            reads: vec![],
            claims: vec![],
            links: vec![],
        };
        let (_, plan) = judge(&[wish], facts, DateTime::UNIX_EPOCH);
        assert_eq!((plan.events[0].position, plan.events[0].recorded_at), (6, later));
    }
}
