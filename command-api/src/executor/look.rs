//! What a decision looked at.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use event_log::{Partition, Read, Recorded, Version};
use events::{DecodeError, Vocabulary};
use service_kit::Problem;
use uuid::Uuid;

use super::Decider;
use crate::{App, names::Name};

/// A stream's state.
#[derive(Clone, Debug)]
pub struct Known<A> {
    /// Folded from its events.
    pub state: A,
    /// How many they are.
    pub version: Version,
    /// Where it lives.
    pub partition: Partition,
}

/// Looks things up for one decision and remembers what it saw: the log checks it when the events are written.
#[derive(Clone)]
pub struct Look {
    app: App,
    target: Uuid,
    likely: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    assumed_new: HashSet<Uuid>,
    versions: HashMap<Uuid, Version>,
    from_cache: Vec<Uuid>,
    limits: Vec<Read>,
    ahead: Option<Uuid>,
    torn: bool,
}

impl Look {
    /// For a command on the stream `target`. `likely`: whether what is likely may be taken for so, until the log has the last word.
    pub(crate) fn new(app: &App, target: Uuid, likely: bool) -> Self {
        Self { app: app.clone(), target, likely, seen: Arc::default() }
    }

    /// For looking only: nothing is written.
    pub(crate) fn around(app: &App) -> Self {
        Self::new(app, Uuid::nil(), false)
    }

    /// Takes a stream, unless it is known here, for one that does not exist yet, without asking: who is wrong finds out when the events are
    /// written, and asks the second time.
    pub fn assume_new(&self, stream_id: Uuid) {
        if self.likely {
            self.seen().assumed_new.insert(stream_id);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic while it is held")
    }

    /// The state of a stream, or `None` where there is none of this kind.
    ///
    /// # Errors
    /// The log is not available, or holds events of a newer release.
    pub async fn find<A: Decider>(&self, stream_id: Uuid) -> Result<Option<Known<A>>, Problem> {
        if let Some(known) = self.find_ahead(stream_id) {
            return Ok(Some(known));
        }
        if let Some(known) = self.app.cache.get::<A>(stream_id) {
            self.saw(stream_id, known.version);
            self.seen().from_cache.push(stream_id);
            return Ok(Some(known));
        }
        if self.seen().assumed_new.contains(&stream_id) {
            self.saw(stream_id, 0);
            self.seen().from_cache.push(stream_id);
            return Ok(None);
        }
        let stored = self.app.log.stream(stream_id, 0).await?;
        self.saw(stream_id, stored.len() as Version);
        let known = load::<A>(&stored)?;
        if let Some(known) = &known {
            self.app.cache.put(stream_id, known.clone());
        }
        Ok(known)
    }

    /// The state that a command before this one leads to, which is not written yet.
    fn find_ahead<A: Decider>(&self, stream_id: Uuid) -> Option<Known<A>> {
        let found = if self.likely && stream_id == self.target { self.app.in_flight.newest(stream_id) } else { None };
        let (known, event_id) = found?;
        self.saw(stream_id, known.version);
        self.seen().ahead = Some(event_id);
        Some(known)
    }

    /// The event that the target's state rests on, if it is not written yet.
    pub(crate) fn ahead(&self) -> Option<Uuid> {
        self.seen().ahead
    }

    pub(crate) fn is_ahead(&self) -> bool {
        self.ahead().is_some()
    }

    /// Remembers a version, the first one of each stream (0 where there is none); whether it is that one.
    fn saw(&self, stream_id: Uuid, version: Version) -> bool {
        let mut seen = self.seen();
        let same = *seen.versions.entry(stream_id).or_insert(version) == version;
        seen.torn |= !same;
        same
    }

    /// Whether a stream moved while it was looked at: what was seen first and what was seen later do not go together.
    pub(crate) fn is_torn(&self) -> bool {
        self.seen().torn
    }

    /// Which stream holds a unique name. Not checked again when the events are written.
    ///
    /// # Errors
    /// The log is not available.
    pub async fn holder(&self, name: &Name) -> Result<Option<Uuid>, Problem> {
        Ok(self.app.log.holder(self.app.claim(name)).await?)
    }

    /// The streams linked under a key. Not checked again when the events are written, but for their number: see [`Look::at_most`].
    ///
    /// # Errors
    /// The log is not available.
    pub async fn linked(&self, kind: &str, key: Uuid) -> Result<Vec<Uuid>, Problem> {
        Ok(self.app.log.linked(kind, key).await?)
    }

    /// Requires that no more than `links` are there when the events are written.
    pub fn at_most(&self, kind: &'static str, key: Uuid, links: i64) {
        self.seen().limits.push(Read::AtMost { kind, key, links });
    }

    /// All that was seen, but for the stream that is written to: its version is expected anyway.
    pub(crate) fn reads(&self, target: Uuid) -> Vec<Read> {
        let seen = self.seen();
        let others = seen.versions.iter().filter(|(id, _)| **id != target);
        let versions = others.map(|(id, version)| Read::Version { stream_id: *id, version: *version });
        versions.chain(seen.limits.iter().cloned()).collect()
    }

    /// Whether what came from the cache is still so; what is not is forgotten.
    pub(crate) async fn is_current(&self) -> Result<bool, Problem> {
        if self.is_torn() {
            self.forget();
            return Ok(false);
        }
        let cached: Vec<_> = {
            let seen = self.seen();
            seen.from_cache.iter().map(|id| (*id, seen.versions[id])).collect()
        };
        let ids: Vec<_> = cached.iter().map(|(id, _)| *id).collect();
        let rows = self.app.log.rows(&ids).await?;
        let mut current = true;
        for (id, version) in cached {
            if rows.get(&id).map_or(0, |row| row.version) != version {
                self.app.cache.forget(id);
                current = false;
            }
        }
        Ok(current)
    }

    /// Forgets all that was seen: something of it is not so any more.
    pub(crate) fn forget(&self) {
        for id in self.seen().versions.keys() {
            self.app.cache.forget(*id);
        }
    }
}

pub(super) fn load<A: Decider>(stored: &[Recorded]) -> Result<Option<Known<A>>, Problem> {
    let Some(first) = stored.first() else { return Ok(None) };
    if !A::Event::knows(&first.event_type) {
        return Ok(None);
    }
    let mut state = A::default();
    for event in stored {
        state.apply(A::Event::decode(&event.event_type, event.schema_version, &event.payload).map_err(undecodable)?);
    }
    Ok(Some(Known { state, version: stored.len() as Version, partition: first.partition }))
}

/// A newer release has been here: this instance steps aside, others can answer.
fn undecodable(error: DecodeError) -> Problem {
    match error {
        DecodeError::Newer { .. } | DecodeError::UnknownType { .. } => Problem::unavailable(error),
        DecodeError::Payload { .. } => Problem::internal(error),
    }
}
