//! How far a topic is known to hold the log: for those who wait for it, or look on. Whoever begins to relay asks the topic itself.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use database::on;
use sqlx::types::Json;
use tokio::{sync::watch, time::timeout};

use super::Topic;
use crate::{EventLog, Heads, Partition, Position};

/// What the topic does not hold yet, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many events.
    pub events: i64,
    /// Since when the oldest of them waits.
    pub since: Option<DateTime<Utc>>,
}

/// $1: the topic, $2: partitions and positions.
macro_rules! store {
    ($rows:literal, $kept:literal) => {
        concat!(
            "insert into relay_positions as p (topic, partition, position) select $1, ",
            $rows,
            " where true on conflict (topic, partition) do update set position = excluded.position",
            $kept
        )
    };
}

/// How far a topic is known to hold the log; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<watch::Sender<Heads>>);

impl Known {
    /// So far.
    #[must_use]
    pub fn heads(&self) -> Heads {
        *self.0.borrow()
    }

    /// Whether that is new.
    pub(super) fn tell(&self, heads: Heads) -> bool {
        self.0.send_if_modified(|before| std::mem::replace(before, heads) != heads)
    }
}

/// What is known to have arrived: by the relay of this process, or as another one has written it down. Clones share it.
#[derive(Clone, Debug)]
pub struct Arrived {
    log: EventLog,
    topic: Topic,
    /// Where the relay of this process tells it.
    pub known: Known,
}

/// How often it is looked for what another process has relayed.
const LOOK: Duration = Duration::from_millis(50);

impl Arrived {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(log: EventLog, topic: Topic) -> Self {
        Self { log, topic, known: Known::default() }
    }

    /// Waits until the topic holds an event, no longer than `limit`; whether it does.
    pub async fn wait(&self, partition: Partition, position: Position, limit: Duration) -> bool {
        let mut heads = self.known.0.subscribe();
        let there = |heads: &Heads| heads[partition.index()] >= position;
        let waiting = async {
            while timeout(LOOK, heads.wait_for(there)).await.is_err() {
                if self.log.relayed(self.topic.name()).await.is_ok_and(|heads| there(&heads)) {
                    return;
                }
            }
        };
        timeout(limit, waiting).await.is_ok()
    }
}

impl EventLog {
    /// Up to where a topic holds each partition, at least.
    ///
    /// # Errors
    /// The database's own.
    pub async fn relayed(&self, topic: &str) -> Result<Heads, sqlx::Error> {
        let sql = "select partition, position from relay_positions where topic = $1";
        let rows: Vec<(Partition, Position)> = on!(&self.database.reader, |db| sqlx::query_as(sql).bind(topic).fetch_all(db).await)?;
        let mut heads = Heads::default();
        for (partition, position) in rows {
            heads[partition.index()] = position;
        }
        Ok(heads)
    }

    /// What a topic does not hold yet.
    ///
    /// # Errors
    /// The database's own.
    pub async fn backlog(&self, topic: &Topic) -> Result<Backlog, sqlx::Error> {
        let (relayed, heads) = (self.relayed(topic.name()).await?, self.all_heads().await?);
        let behind: Vec<_> =
            Partition::all().map(|p| (p, relayed[p.index()], heads[p.index()])).filter(|(_, at, head)| at < head).collect();
        let oldest: Vec<_> = behind.iter().map(|(partition, relayed, _)| (*partition, relayed + 1)).collect();
        let since = self.recorded_at(&oldest).await?.into_values().min();
        Ok(Backlog { events: behind.iter().map(|(_, relayed, head)| head - relayed).sum(), since })
    }

    /// Remembers how far a topic holds some partitions.
    pub(super) async fn store_relayed(&self, topic: &str, positions: &[(Partition, Position)], also_back: bool) -> Result<(), sqlx::Error> {
        let rows: Vec<_> = positions.iter().map(|(partition, position)| (partition.number(), position)).collect();
        let sql = match (also_back, self.database.writer.pick(true, false)) {
            (false, true) => store!("value->>0, value->>1 from json_each($2)", " where p.position < excluded.position"),
            (true, true) => store!("value->>0, value->>1 from json_each($2)", ""),
            (false, false) => {
                store!("(value->>0)::int, (value->>1)::bigint from jsonb_array_elements($2)", " where p.position < excluded.position")
            }
            (true, false) => store!("(value->>0)::int, (value->>1)::bigint from jsonb_array_elements($2)", ""),
        };
        on!(&self.database.writer, |db| sqlx::query(sql).bind(topic).bind(Json(rows)).execute(db).await.map(drop))
    }
}
