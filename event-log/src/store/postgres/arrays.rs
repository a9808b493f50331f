//! A batch and its plan, as the database's function takes them: an array a column.

use sqlx::types::Json;

use super::{rare::Rare, *};
use crate::{StreamRow, judge::Facts};

const APPEND: &str = "select bases, times from append_batch(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)";

/// The rows that a plan wants written, and what must be there before.
#[derive(Debug, Default)]
pub struct Arrays<'a> {
    assumed: Option<Assumed<'a>>,
    heads: (Vec<Partition>, Vec<i64>),
    events: Events<'a>,
    new: Streams<'a>,
    moved: (Vec<Uuid>, Vec<Version>),
    rare: Option<Json<Rare<'a>>>,
}

#[derive(Debug, Default)]
struct Streams<'a> {
    id: Vec<Uuid>,
    kind: Vec<Option<&'a str>>,
    partition: Vec<Partition>,
    version: Vec<Version>,
}

/// Streams, and the last event of those of which that matters.
#[derive(Debug, Default)]
struct Assumed<'a> {
    streams: Streams<'a>,
    last: Vec<Option<Uuid>>,
}

#[derive(Debug, Default)]
struct Events<'a> {
    head: Vec<i32>,
    offset: Vec<i64>,
    id: Vec<Uuid>,
    stream: Vec<Uuid>,
    version: Vec<Version>,
    event_type: Vec<&'static str>,
    schema_version: Vec<i32>,
    payload: Vec<&'a str>,
    metadata: Vec<String>,
}

impl<'a> Arrays<'a> {
    /// To be written if the facts are as assumed; the plan's places count from 0.
    pub fn assumed(batch: &'a [Append], plan: &'a Plan, facts: &'a Facts) -> Result<Self, sqlx::Error> {
        let mut assumed = Assumed::default();
        for (id, row) in &facts.streams {
            assumed.streams.push(*id, row);
            assumed.last.push(facts.places.get(&(*id, row.version)).map(|(event_id, _)| *event_id));
        }
        Self::new(batch, plan, &BTreeMap::new(), Some(assumed), Some(facts))
    }

    /// To be written whatever is there, within a transaction that has locked the heads; the plan's places count from theirs.
    pub fn decided(batch: &'a [Append], plan: &'a Plan, heads: &BTreeMap<Partition, Head>) -> Result<Self, sqlx::Error> {
        Self::new(batch, plan, heads, None, None)
    }

    fn new(
        batch: &'a [Append],
        plan: &'a Plan,
        heads: &BTreeMap<Partition, Head>,
        assumed: Option<Assumed<'a>>,
        facts: Option<&'a Facts>,
    ) -> Result<Self, sqlx::Error> {
        // Of each head: which one it is, counted from 1, and where its events begin.
        let numbered = plan.heads.keys().zip(1..);
        let from = |partition: &Partition| heads.get(partition).map_or(0, |head| head.position);
        let places: BTreeMap<Partition, (i32, Position)> =
            numbered.map(|(partition, head)| (*partition, (head, from(partition)))).collect();
        let place = |partition: Partition, position: Position| {
            let (head, from) = places[&partition];
            (head, position - from)
        };
        let mut arrays = Self {
            assumed,
            heads: plan.heads.iter().map(|(partition, head)| (*partition, head.position - from(partition))).unzip(),
            rare: Rare::new(plan, facts, place).map(Json),
            ..Self::default()
        };
        let mut new = BTreeSet::new();
        for planned in &plan.events {
            let wish = &batch[planned.wish];
            arrays.events.push(wish, planned, place(wish.partition, planned.position))?;
            if planned.version == 1 {
                new.insert(wish.stream_id);
            }
        }
        for (id, row) in &plan.streams {
            if new.contains(id) {
                arrays.new.push(*id, row);
            } else {
                arrays.moved.0.push(*id);
                arrays.moved.1.push(row.version);
            }
        }
        Ok(arrays)
    }

    /// Writes. `None`, and nothing is written: the facts are not as assumed.
    pub async fn append(&self, db: &mut PgConnection) -> Result<Option<Bases>, sqlx::Error> {
        let Self { assumed, heads, events, new, moved, rare } = self;
        let query = sqlx::query_as(APPEND);
        let query = query.bind(assumed.as_ref().map(|assumed| &assumed.streams.id));
        let query = query.bind(assumed.as_ref().map(|assumed| &assumed.streams.kind));
        let query = query.bind(assumed.as_ref().map(|assumed| &assumed.streams.partition));
        let query = query.bind(assumed.as_ref().map(|assumed| &assumed.streams.version));
        let query = query.bind(assumed.as_ref().map(|assumed| &assumed.last));
        let query = query.bind(&heads.0).bind(&heads.1);
        let query = query.bind(&events.head).bind(&events.offset).bind(&events.id).bind(&events.stream).bind(&events.version);
        let query = query.bind(&events.event_type).bind(&events.schema_version).bind(&events.payload).bind(&events.metadata);
        let query = query.bind(&new.id).bind(&new.kind).bind(&new.partition).bind(&new.version);
        let query = query.bind(&moved.0).bind(&moved.1).bind(rare);
        let (bases, times): (Option<Vec<Position>>, Option<Vec<DateTime<Utc>>>) = query.fetch_one(db).await?;
        let found = |bases: Vec<Position>| heads.0.iter().copied().zip(bases.into_iter().zip(times.unwrap_or_default())).collect();
        Ok(bases.map(found))
    }
}

impl<'a> Events<'a> {
    fn push(&mut self, wish: &'a Append, planned: &judge::Planned, (head, offset): (i32, i64)) -> Result<(), sqlx::Error> {
        let event = &wish.events[planned.event];
        self.head.push(head);
        self.offset.push(offset);
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
    /// A kind that is not told does not matter.
    fn push(&mut self, id: Uuid, row: &'a StreamRow) {
        self.id.push(id);
        self.kind.push(Some(&*row.kind).filter(|kind| !kind.is_empty()));
        self.partition.push(row.partition);
        self.version.push(row.version);
    }
}
