//! What the facts must be for all wishes of a batch to be accepted. Most of the time they are.

use std::collections::{HashMap, hash_map::Entry};

use super::*;
use crate::{
    ClaimChange, LinkChange, Read, StreamRow,
    judge::{Facts, LinkKey, Linked, judge},
};

/// The facts, and what is to be written if they are so. `None`: no facts make all of it acceptable, so they must be looked at.
pub fn judged(batch: &[Append]) -> Option<(Facts, Vec<Outcome>, Plan)> {
    let facts = facts(batch);
    let (outcomes, plan) = judge(batch, facts.clone(), now());
    let all = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended { .. }));
    all.then_some((facts, outcomes, plan))
}

fn facts(batch: &[Append]) -> Facts {
    let mut facts = Facts::default();
    let mut claims = HashMap::new();
    for wish in batch {
        if let Entry::Vacant(first) = facts.streams.entry(wish.stream_id) {
            first.insert(StreamRow { kind: wish.kind.into(), partition: wish.partition, version: wish.expected });
            facts.places.extend(wish.after.map(|event_id| ((wish.stream_id, wish.expected), (event_id, 0))));
        }
        for change in &wish.claims {
            let holder = match change {
                ClaimChange::Take(_) => None,
                ClaimChange::GiveBack(_) => Some(wish.stream_id),
            };
            claims.entry(change.claim()).or_insert(holder);
        }
    }
    for (wish, read) in batch.iter().flat_map(|wish| wish.reads.iter().map(move |read| (wish, read))) {
        if let Read::Version { stream_id, version } = read {
            // Of a stream that is only read the kind does not matter.
            let row = StreamRow { kind: String::new(), partition: wish.partition, version: *version };
            facts.streams.entry(*stream_id).or_insert(row);
        }
    }
    facts.links = links(batch);
    facts.claims = claims.into_iter().filter_map(|(claim, holder)| Some((claim, holder?))).collect();
    facts
}

/// The most links that there may be before the batch: each wish may find no more than it says, and those before it in the batch add some.
/// What they take away does not count: it may not be there.
fn links(batch: &[Append]) -> HashMap<LinkKey, Linked> {
    let mut most = HashMap::<_, Linked>::new();
    let mut added = HashMap::<_, i64>::new();
    for wish in batch {
        for read in &wish.reads {
            if let Read::AtMost { kind, key, links } = read {
                let before = links - added.get(&(*kind, *key)).copied().unwrap_or_default();
                let most = most.entry((*kind, *key)).or_insert_with(|| Linked::new(before, []));
                most.count = most.count.min(before);
            }
        }
        for LinkChange { kind, key, present } in &wish.links {
            *added.entry((*kind, *key)).or_default() += i64::from(*present);
        }
    }
    most
}
