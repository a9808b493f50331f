//! A batch and its plan, as the database's functions take them: an array a column.

use std::collections::HashSet;

use sqlx::{Postgres, postgres::PgArguments, query::QueryAs};

use super::*;
use crate::{StreamRow, command_key::Key, judge::Facts};

type Query<'q> = QueryAs<'q, Postgres, (Partition, Position, DateTime<Utc>), PgArguments>;

const APPEND_IF: &str = "select partition, base, recorded_at from append_if(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29,
    $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41)";
const WRITE: &str = "select partition, base, recorded_at from write_batch(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29,
    $30, $31)";

/// The rows that a plan wants written.
#[derive(Debug, Default)]
pub struct Arrays<'a> {
    heads: (Vec<Partition>, Vec<i64>),
    events: Events<'a>,
    streams: Streams<'a>,
    freed: Vec<&'a [u8]>,
    taken: (Vec<&'a [u8]>, Vec<Uuid>),
    links: Links,
    keys: Keys<'a>,
}

#[derive(Debug, Default)]
struct Events<'a> {
    partition: Vec<Partition>,
    offset: Vec<i64>,
    id: Vec<Uuid>,
    stream: Vec<Uuid>,
    version: Vec<Version>,
    event_type: Vec<&'static str>,
    schema_version: Vec<i32>,
    payload: Vec<&'a str>,
    metadata: Vec<String>,
}

#[derive(Debug, Default)]
struct Streams<'a> {
    id: Vec<Uuid>,
    kind: Vec<&'a str>,
    partition: Vec<Partition>,
    version: Vec<Version>,
    is_new: Vec<bool>,
}

#[derive(Debug, Default)]
struct Links {
    kind: Vec<&'static str>,
    key: Vec<Uuid>,
    stream: Vec<Uuid>,
    present: Vec<bool>,
}

#[derive(Debug, Default)]
struct Keys<'a> {
    key: Vec<&'a [u8]>,
    fingerprint: Vec<&'a [u8]>,
    stream: Vec<Uuid>,
    partition: Vec<Partition>,
    expected: Vec<Version>,
    version: Vec<Version>,
    offset: Vec<i64>,
    expires_at: Vec<Option<i64>>,
}

impl<'a> Arrays<'a> {
    /// `judged_from`: the heads that the plan counts from; 0 where it says nothing.
    pub fn new(batch: &'a [Append], plan: &'a Plan, judged_from: &BTreeMap<Partition, Head>) -> Result<Self, sqlx::Error> {
        let from = |partition: Partition| judged_from.get(&partition).map_or(0, |head| head.position);
        let heads = plan.heads.iter().map(|(partition, head)| (*partition, head.position - from(*partition))).unzip();
        let freed = plan.freed.iter().map(|claim| &claim.0[..]).collect();
        let taken = plan.claims.iter().filter_map(|(claim, holder)| Some((&claim.0[..], (*holder)?))).unzip();
        let mut arrays = Self { heads, freed, taken, ..Self::default() };
        let new: HashSet<Uuid> = plan.events.iter().filter(|e| e.version == 1).map(|e| batch[e.wish].stream_id).collect();
        for planned in &plan.events {
            arrays.events.push(&batch[planned.wish], planned, from(batch[planned.wish].partition))?;
        }
        for (id, row) in &plan.streams {
            arrays.streams.push(*id, row, new.contains(id));
        }
        for ((kind, key, stream_id), present) in &plan.links {
            arrays.links.push(kind, *key, *stream_id, *present);
        }
        for (key, row) in &plan.keys {
            arrays.keys.push(key, row, from(row.remembered.partition));
        }
        Ok(arrays)
    }

    /// Writes, within a transaction that has locked the heads.
    pub async fn write(&self, db: &mut PgConnection) -> Result<Bases, sqlx::Error> {
        read(self.bind(sqlx::query_as(WRITE)).fetch_all(db).await?)
    }

    /// Locks the heads, and writes if the facts are as assumed; if not, the answer is empty.
    pub async fn append_if(&self, facts: &Facts, plan: &Plan, db: &mut PgConnection) -> Result<Bases, sqlx::Error> {
        let ids: Vec<Uuid> = facts.streams.keys().copied().collect();
        let kinds: Vec<Option<&str>> = facts.streams.values().map(|row| Some(&*row.kind).filter(|kind| !kind.is_empty())).collect();
        let partitions: Vec<Partition> = facts.streams.values().map(|row| row.partition).collect();
        let versions: Vec<Version> = facts.streams.values().map(|row| row.version).collect();
        let last = |(id, row): (&Uuid, &StreamRow)| facts.places.get(&(*id, row.version)).map(|(event_id, _)| *event_id);
        let events: Vec<Option<Uuid>> = facts.streams.iter().map(last).collect();
        // Also a name that is taken and given back, of which nothing is written: it must have been free.
        let claims = plan.claims.keys().map(|claim| (&claim.0[..], facts.claims.get(claim).copied()));
        let (claims, holders): (Vec<&[u8]>, Vec<Option<Uuid>>) = claims.unzip();
        let (of_links, most): (Vec<_>, Vec<i64>) = facts.links.iter().map(|(key, most)| (*key, most.count)).unzip();
        let (link_kinds, link_keys): (Vec<&str>, Vec<Uuid>) = of_links.into_iter().unzip();
        let query = sqlx::query_as(APPEND_IF).bind(ids).bind(kinds).bind(partitions).bind(versions).bind(events);
        let query = query.bind(claims).bind(holders).bind(link_kinds).bind(link_keys).bind(most);
        read(self.bind(query).fetch_all(db).await?)
    }

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let Self { heads, events, streams, freed, taken, links, keys } = self;
        let query = query.bind(&heads.0).bind(&heads.1);
        let query = query.bind(&events.partition).bind(&events.offset).bind(&events.id).bind(&events.stream).bind(&events.version);
        let query = query.bind(&events.event_type).bind(&events.schema_version).bind(&events.payload).bind(&events.metadata);
        let query = query.bind(&streams.id).bind(&streams.kind).bind(&streams.partition).bind(&streams.version).bind(&streams.is_new);
        let query = query.bind(freed).bind(&taken.0).bind(&taken.1);
        let query = query.bind(&links.kind).bind(&links.key).bind(&links.stream).bind(&links.present);
        let query = query.bind(&keys.key).bind(&keys.fingerprint).bind(&keys.stream).bind(&keys.partition);
        query.bind(&keys.expected).bind(&keys.version).bind(&keys.offset).bind(&keys.expires_at)
    }
}

impl<'a> Events<'a> {
    fn push(&mut self, wish: &'a Append, planned: &judge::Planned, from: Position) -> Result<(), sqlx::Error> {
        let event = &wish.events[planned.event];
        self.partition.push(wish.partition);
        self.offset.push(planned.position - from);
        self.id.push(event.event_id);
        self.stream.push(wish.stream_id);
        self.version.push(planned.version);
        self.event_type.push(event.event_type);
        self.schema_version.push(i32::try_from(event.schema_version).map_err(|e| sqlx::Error::Encode(e.into()))?);
        self.payload.push(&event.payload);
        self.metadata.push(metadata(&wish.metadata)?);
        Ok(())
    }
}

impl<'a> Streams<'a> {
    fn push(&mut self, id: Uuid, row: &'a StreamRow, is_new: bool) {
        self.id.push(id);
        self.kind.push(&row.kind);
        self.partition.push(row.partition);
        self.version.push(row.version);
        self.is_new.push(is_new);
    }
}

impl Links {
    fn push(&mut self, kind: &'static str, key: Uuid, stream: Uuid, present: bool) {
        self.kind.push(kind);
        self.key.push(key);
        self.stream.push(stream);
        self.present.push(present);
    }
}

impl<'a> Keys<'a> {
    fn push(&mut self, key: &'a Key, row: &'a judge::KeyRow, from: Position) {
        let told = &row.remembered;
        self.key.push(&key.0);
        self.fingerprint.push(&row.fingerprint.0);
        self.stream.push(told.stream_id);
        self.partition.push(told.partition);
        self.expected.push(told.expected);
        self.version.push(told.version);
        self.offset.push(told.position - from);
        self.expires_at.push(row.expires_at);
    }
}

fn read(rows: Vec<(Partition, Position, DateTime<Utc>)>) -> Result<Bases, sqlx::Error> {
    Ok(rows.into_iter().map(|(partition, base, at)| (partition, (base, at))).collect())
}
