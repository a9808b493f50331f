//! All rows of the log, as they are in its tables.

use proptest::prelude::*;

use super::super::*;
use crate::{Key, judge::KeyRow};

type Event = (Partition, Position, Uuid, Uuid, Version, String, i32, String, Json<Metadata>);
type CommandKey = (Vec<u8>, Vec<u8>, Uuid, Partition, Version, Version, Position, bool);

#[derive(Debug, PartialEq)]
pub struct Rows {
    pub heads: Vec<(Partition, Position)>,
    pub events: Vec<Event>,
    pub streams: Vec<(Uuid, String, Partition, Version)>,
    pub claims: Vec<(Vec<u8>, Uuid)>,
    pub links: Vec<(String, Uuid, Uuid)>,
    pub keys: Vec<CommandKey>,
}

macro_rules! rows {
    ($database:expr, $sql:expr) => {
        on!(&$database.reader, |db| sqlx::query_as($sql).fetch_all(db).await).expect($sql)
    };
}

impl Rows {
    pub async fn of(database: &Database) -> Self {
        Self {
            heads: rows!(database, "select partition, position from heads"),
            events: rows!(
                database,
                "select partition, position, event_id, stream_id, version, type, schema_version, payload, metadata from events"
            ),
            streams: rows!(database, "select stream_id, kind, partition, version from streams"),
            claims: rows!(database, "select claim, stream_id from claims"),
            links: rows!(database, "select kind, key, stream_id from links"),
            keys: rows!(
                database,
                "select command_key, fingerprint, stream_id, partition, expected, version, position, expires_at is not null from command_keys"
            ),
        }
        .sorted()
    }

    pub fn event(event: Recorded) -> Event {
        let Recorded { partition, position, event_id, stream_id, version, event_type, schema_version, payload, metadata, .. } = event;
        (partition, position, event_id, stream_id, version, event_type, schema_version as i32, payload, Json(metadata))
    }

    pub fn key(key: Key, row: &KeyRow) -> CommandKey {
        let told = &row.remembered;
        let (key, fingerprint) = (key.0.to_vec(), row.fingerprint.0.to_vec());
        (key, fingerprint, told.stream_id, told.partition, told.expected, told.version, told.position, row.expires_at.is_some())
    }

    /// The same as others, told table by table.
    pub fn are(&self, others: &Self) -> Result<(), TestCaseError> {
        prop_assert_eq!(&self.heads, &others.heads);
        prop_assert_eq!(&self.streams, &others.streams);
        prop_assert_eq!(&self.claims, &others.claims);
        prop_assert_eq!(&self.links, &others.links);
        prop_assert_eq!(&self.keys, &others.keys);
        prop_assert_eq!(&self.events, &others.events);
        Ok(())
    }

    pub fn sorted(mut self) -> Self {
        self.heads.sort_unstable();
        self.events.sort_unstable_by_key(|event| (event.0, event.1));
        self.streams.sort_unstable();
        self.claims.sort_unstable();
        self.links.sort_unstable();
        self.keys.sort_unstable();
        self
    }
}
