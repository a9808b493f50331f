//! Whether the log is as it must be: all that can be told from the events is told anew and compared with what is stored.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};

use uuid::Uuid;

use crate::{Claim, ClaimChange, Keys, LinkChange, LogStore, Partition, Position, Recorded, Version, inspect::Snapshot, judge::Head};

/// How many events are read at once.
const PAGE: usize = 1_000;

/// Reads events as the domain does. Called in the order of each stream's versions.
pub trait Meaning {
    /// What kind of stream an event belongs to, and which names and links follow from it.
    ///
    /// # Errors
    /// It cannot be read; why.
    fn read(&mut self, event: &Recorded) -> Result<Effects, String>;
}

/// What follows from an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// What its stream is a history of.
    pub kind: &'static str,
    /// Names taken and given back.
    pub claims: Vec<ClaimChange>,
    /// Entries made and taken away.
    pub links: Vec<LinkChange>,
}

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many events there are.
    pub events: u64,
    /// How many streams.
    pub streams: u64,
    /// How many names are taken.
    pub claims: u64,
    /// How many links there are.
    pub links: u64,
    /// What is wrong, a line each.
    pub faults: Vec<String>,
}

impl LogStore {
    /// How many events there are.
    ///
    /// # Errors
    /// The database's own.
    pub async fn length(&self) -> Result<u64, sqlx::Error> {
        Ok(self.heads().await?.iter().sum::<Position>().unsigned_abs())
    }

    /// Looks through all of the log as it is at one moment; `seen` is told how many events more were read.
    ///
    /// # Errors
    /// The database's own.
    pub async fn verify(&self, keys: &Keys, meaning: impl Meaning, seen: impl FnMut(u64)) -> Result<Verified, sqlx::Error> {
        let snapshot = self.snapshot().await?;
        let mut all = All { keys, meaning, seen, told: Told::default(), verified: Verified::default() };
        all.compare(snapshot).await?;
        Ok(all.verified)
    }
}

/// What the events tell.
#[derive(Default)]
struct Told {
    streams: HashMap<Uuid, Stream>,
    claims: HashSet<(Claim, Uuid)>,
    /// Streams with values that were erased: which names they have taken nobody can tell.
    shredded: HashSet<Uuid>,
    links: HashSet<(String, Uuid, Uuid)>,
}

struct Stream {
    kind: Option<&'static str>,
    partition: Partition,
    version: Version,
}

struct All<'a, M, S> {
    keys: &'a Keys,
    meaning: M,
    seen: S,
    told: Told,
    verified: Verified,
}

impl<M: Meaning, S: FnMut(u64)> All<'_, M, S> {
    fn fault(&mut self, what: String) {
        self.verified.faults.push(what);
    }

    async fn compare(&mut self, mut snapshot: Snapshot) -> Result<(), sqlx::Error> {
        let heads: BTreeMap<Partition, Head> = snapshot.heads().await?.into_iter().collect();
        for partition in Partition::all() {
            self.partition(&mut snapshot, partition, heads.get(&partition)).await?;
        }
        self.streams(&mut snapshot).await?;
        self.claims(&mut snapshot).await?;
        self.links(&mut snapshot).await?;
        self.what_points_into_it(&mut snapshot, &heads).await
    }

    async fn partition(&mut self, snapshot: &mut Snapshot, partition: Partition, head: Option<&Head>) -> Result<(), sqlx::Error> {
        let number = partition.number();
        let (mut last, mut last_at) = (0, None);
        loop {
            let page = snapshot.events(partition, last, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let read = page.len() as u64;
            for event in self.unsealed(page).await? {
                if event.position != last + 1 {
                    self.fault(format!("partition {number}: position {} follows {last}", event.position));
                }
                if last_at.is_some_and(|at| event.recorded_at < at) {
                    self.fault(format!("{}: it is older than the one before it", place(&event)));
                }
                (last, last_at) = (event.position, Some(event.recorded_at));
                self.event(event);
            }
            self.verified.events += read;
            (self.seen)(read);
        }
        let position = head.map_or(0, |head| head.position);
        if position != last {
            self.fault(format!("partition {number}: its head is {position}, its last event {last}"));
        }
        if head.is_some_and(|head| last_at.is_some_and(|at| at > head.recorded_at)) {
            self.fault(format!("partition {number}: its head is older than its last event"));
        }
        Ok(())
    }

    /// One by one if one of them cannot be unsealed.
    async fn unsealed(&mut self, page: Vec<Recorded>) -> Result<Vec<Recorded>, sqlx::Error> {
        match self.keys.unseal(page.clone()).await {
            Ok(events) => return Ok(events),
            Err(sqlx::Error::Decode(_)) => {}
            Err(error) => return Err(error),
        }
        let mut events = vec![];
        for event in page {
            match self.keys.unseal(vec![event.clone()]).await {
                Ok(unsealed) => events.extend(unsealed),
                Err(sqlx::Error::Decode(error)) => {
                    self.fault(format!("{}: {error}", place(&event)));
                    events.push(event);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(events)
    }

    fn event(&mut self, event: Recorded) {
        let effects = self.meaning.read(&event).map_err(|why| self.fault(format!("{}: {why}", place(&event)))).ok();
        let kind = effects.as_ref().map(|effects| effects.kind);
        let mut faults = vec![];
        match self.told.streams.entry(event.stream_id) {
            Entry::Vacant(new) => {
                if event.version != 1 {
                    faults.push(format!("{}: its stream begins with version {}", place(&event), event.version));
                }
                new.insert(Stream { kind, partition: event.partition, version: event.version });
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if event.version != known.version + 1 {
                    faults.push(format!("{}: version {} follows {} of its stream", place(&event), event.version, known.version));
                }
                if event.partition != known.partition {
                    faults.push(format!("{}: its stream lives in partition {}", place(&event), known.partition.number()));
                }
                if let (Some(kind), Some(known)) = (kind, known.kind)
                    && kind != known
                {
                    faults.push(format!("{}: it is of a {kind}, its stream of a {known}", place(&event)));
                }
                known.version = event.version;
                known.kind = known.kind.or(kind);
            }
        }
        self.verified.faults.append(&mut faults);
        if event.payload.contains(r#""$shredded""#) {
            self.told.shredded.insert(event.stream_id);
        }
        let Some(Effects { claims, links, .. }) = effects else { return };
        for change in claims {
            match change {
                ClaimChange::Take(claim) => self.told.claims.insert((claim, event.stream_id)),
                ClaimChange::GiveBack(claim) => self.told.claims.remove(&(claim, event.stream_id)),
            };
        }
        for LinkChange { kind, key, present } in links {
            let link = (kind.to_owned(), key, event.stream_id);
            if present {
                self.told.links.insert(link)
            } else {
                self.told.links.remove(&link)
            };
        }
    }

    async fn streams(&mut self, snapshot: &mut Snapshot) -> Result<(), sqlx::Error> {
        self.verified.streams = self.told.streams.len() as u64;
        let mut last = Uuid::nil();
        loop {
            let rows = snapshot.streams(last, PAGE).await?;
            let Some((newest, _)) = rows.last() else { break };
            last = *newest;
            for (id, row) in rows {
                let Some(told) = self.told.streams.remove(&id) else {
                    self.fault(format!("stream {id}: it has a row and no events"));
                    continue;
                };
                if row.version != told.version {
                    self.fault(format!("stream {id}: its row says version {}, its events {}", row.version, told.version));
                }
                if row.partition != told.partition {
                    let (row, told) = (row.partition.number(), told.partition.number());
                    self.fault(format!("stream {id}: its row says partition {row}, its events {told}"));
                }
                if told.kind.is_some_and(|kind| kind != row.kind) {
                    self.fault(format!("stream {id}: its row says {}, its events {}", row.kind, told.kind.unwrap_or_default()));
                }
            }
        }
        let without: Vec<_> = self.told.streams.drain().map(|(id, _)| format!("stream {id}: it has events and no row")).collect();
        self.verified.faults.extend(without);
        Ok(())
    }

    async fn claims(&mut self, snapshot: &mut Snapshot) -> Result<(), sqlx::Error> {
        for (claim, stream_id) in snapshot.claims().await? {
            self.verified.claims += 1;
            let known = <[u8; 32]>::try_from(claim).is_ok_and(|claim| self.told.claims.remove(&(Claim(claim), stream_id)));
            if !known && !self.told.shredded.contains(&stream_id) {
                self.fault(format!("claims: a name is kept for stream {stream_id}, and its events do not say so"));
            }
        }
        let without = self.told.claims.drain().map(|(_, id)| format!("claims: stream {id} has taken a name that is not kept for it"));
        self.verified.faults.extend(without);
        Ok(())
    }

    async fn links(&mut self, snapshot: &mut Snapshot) -> Result<(), sqlx::Error> {
        for link in snapshot.links().await? {
            self.verified.links += 1;
            if !self.told.links.remove(&link) {
                let (kind, key, stream_id) = link;
                self.fault(format!("links: {kind} {key} leads to stream {stream_id}, and its events do not say so"));
            }
        }
        let missing = |(kind, key, id): (String, Uuid, Uuid)| format!("links: {kind} {key} does not lead to stream {id}");
        let without: Vec<_> = self.told.links.drain().map(missing).collect();
        self.verified.faults.extend(without);
        Ok(())
    }

    /// What remembers places of the log must not know more than there is.
    async fn what_points_into_it(&mut self, snapshot: &mut Snapshot, heads: &BTreeMap<Partition, Head>) -> Result<(), sqlx::Error> {
        let head = |partition: Partition| heads.get(&partition).map_or(0, |head| head.position);
        for (stream_id, partition, position) in snapshot.command_keys().await? {
            if position > head(partition) {
                self.fault(format!("command keys: one of stream {stream_id} is at {}.{position}, beyond the head", partition.number()));
            }
        }
        for (policy, partition, position) in snapshot.policy_checkpoints().await? {
            if position > head(partition) {
                self.fault(format!("policy {policy}: it is at {}.{position}, beyond the head", partition.number()));
            }
        }
        Ok(())
    }
}

fn place(event: &Recorded) -> String {
    format!("{}.{} ({} of stream {})", event.partition.number(), event.position, event.event_type, event.stream_id)
}
