//! The log as it ought to be: wishes are judged one by one, and what is judged is put into maps.

use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

use super::{super::*, rows::Rows};
use crate::{
    Key, StreamRow,
    judge::{Facts, Head, KeyRow, LinkKey, Linked, claims_of, judge, keys_of, links_of, places_of, streams_of},
};

#[derive(Debug, Default)]
pub struct World {
    heads: BTreeMap<Partition, Position>,
    events: BTreeMap<(Uuid, Version), Recorded>,
    streams: HashMap<Uuid, StreamRow>,
    claims: BTreeMap<Claim, Uuid>,
    links: BTreeSet<(&'static str, Uuid, Uuid)>,
    keys: BTreeMap<Key, KeyRow>,
}

impl World {
    /// The id of the event at a place.
    pub fn event(&self, stream_id: Uuid, version: Version) -> Option<Uuid> {
        self.events.get(&(stream_id, version)).map(|event| event.event_id)
    }

    pub fn version(&self, stream_id: Uuid) -> Version {
        self.streams.get(&stream_id).map_or(0, |row| row.version)
    }

    pub fn append(&mut self, wish: &Append) -> Outcome {
        let batch = slice::from_ref(wish);
        let (outcomes, plan) = judge(batch, self.facts(batch), now());
        for planned in &plan.events {
            self.events.insert((wish.stream_id, planned.version), recorded(batch, planned));
        }
        self.heads.extend(moved(&plan));
        self.streams.extend(plan.streams);
        self.keys.extend(plan.keys);
        for (claim, holder) in plan.claims {
            match holder {
                Some(holder) => self.claims.insert(claim, holder),
                None => self.claims.remove(&claim),
            };
        }
        for (link, present) in plan.links {
            if present {
                self.links.insert(link)
            } else {
                self.links.remove(&link)
            };
        }
        outcomes.into_iter().next().expect("one wish has one outcome")
    }

    fn facts(&self, batch: &[Append]) -> Facts {
        let head = |(partition, position): (&Partition, &Position)| (*partition, Head { position: *position, recorded_at: now() });
        let place = |place: (Uuid, Version)| Some((place, self.events.get(&place).map(|event| (event.event_id, event.position))?));
        Facts {
            heads: self.heads.iter().map(head).collect(),
            streams: streams_of(batch).into_iter().filter_map(|id| Some((id, self.streams.get(&id)?.clone()))).collect(),
            claims: claims_of(batch).into_iter().filter_map(|claim| Some((claim, *self.claims.get(&claim)?))).collect(),
            links: links_of(batch).into_iter().map(|key| (key, self.linked(key))).collect(),
            keys: keys_of(batch).into_iter().filter_map(|key| Some((key, self.keys.get(&key)?.clone()))).collect(),
            places: places_of(batch, &self.streams).into_iter().filter_map(place).collect(),
        }
    }

    fn linked(&self, (kind, key): LinkKey) -> Linked {
        let there = self.links.iter().filter(|link| (link.0, link.1) == (kind, key)).map(|link| link.2);
        Linked::new(there.clone().count() as i64, there)
    }

    /// As the tables should be.
    pub fn rows(&self) -> Rows {
        Rows {
            heads: Partition::all().map(|partition| (partition, self.heads.get(&partition).copied().unwrap_or(0))).collect(),
            events: self.events.values().map(|event| Rows::event(event.clone())).collect(),
            streams: self.streams.iter().map(|(id, row)| (*id, row.kind.clone(), row.partition, row.version)).collect(),
            claims: self.claims.iter().map(|(claim, holder)| (claim.0.to_vec(), *holder)).collect(),
            links: self.links.iter().map(|(kind, key, stream)| ((*kind).to_owned(), *key, *stream)).collect(),
            keys: self.keys.iter().map(|(key, row)| Rows::key(*key, row)).collect(),
        }
        .sorted()
    }
}
