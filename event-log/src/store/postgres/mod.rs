//! Appending on Postgres: one call for a batch that goes as expected, and a transaction in which it is decided for any other.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `assumed` | what the facts must be for all wishes of a batch to be accepted |
//! | `arrays`, `rare` | a batch and its plan, as the database's function takes them |
//! | `listen` | telling other processes, and hearing them |

mod arrays;
pub mod assumed;
pub mod listen;
mod rare;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use database::{Fault, Transaction};
use futures::{FutureExt, future::BoxFuture};
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout};

use self::arrays::Arrays;
use super::*;
use crate::judge::{self, Head, judge};

/// How long batches are sent again to a database that is away; after that each is tried once.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server that does not answer at all is taken for one that is at work. Locks are held for less: see
/// `idle_in_transaction_session_timeout`.
const TRY: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a batch is decided anew because others were in its way.
const CLASHES: u32 = 10;

/// Where each partition's events of a batch begin, and their time.
type Bases = BTreeMap<Partition, (Position, DateTime<Utc>)>;

/// A writer with a connection of its own.
#[derive(Debug)]
pub struct Writer {
    database: Database,
    options: Arc<PgConnectOptions>,
    connection: Option<PgConnection>,
    away_since: Option<Instant>,
}

impl Writer {
    pub fn new(database: Database, pool: &PgPool) -> Self {
        Self { database, options: pool.connect_options(), connection: None, away_since: None }
    }

    /// Writes a batch, however often that must be tried. A connection that breaks leaves open whether the batch was written; it is sent
    /// again all the same, and what was written is then known by its events' ids.
    pub async fn append(&mut self, batch: &[Append]) -> Result<Written, sqlx::Error> {
        let mut clashes = 0;
        loop {
            let error = match timeout(TRY, self.tried(batch, clashes)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Ok(written) => {
                    self.away_since = None;
                    return Ok(written);
                }
                Err(error) => error,
            };
            let fault = Fault::of(&error);
            if fault != Fault::Away {
                self.away_since = None;
            }
            match fault {
                Fault::Away if self.away_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE => {
                    tracing::warn!(%error, commands = batch.len(), "a batch is sent again");
                    self.connection = None;
                    sleep(PAUSE).await;
                }
                Fault::Clash | Fault::Data if clashes < CLASHES && (clashes == 0 || is_race(&error)) => clashes += 1,
                Fault::Away | Fault::Clash | Fault::Data | Fault::Refused | Fault::Other => {
                    self.connection = None;
                    return Err(error);
                }
            }
        }
    }

    async fn tried(&mut self, batch: &[Append], clashes: u32) -> Result<Written, sqlx::Error> {
        if clashes == 0 { self.as_assumed(batch).await } else { self.decided(batch).await }
    }

    /// In one call, if all is as the wishes expect; else decided under the locks.
    async fn as_assumed(&mut self, batch: &[Append]) -> Result<Written, sqlx::Error> {
        let Some((facts, mut outcomes, plan)) = assumed::judged(batch) else { return self.decided(batch).await };
        let arrays = Arrays::assumed(batch, &plan, &facts)?;
        let Some(found) = arrays.append(self.connection().await?).await? else { return self.decided(batch).await };
        for (outcome, wish) in outcomes.iter_mut().zip(batch) {
            if let Outcome::Appended { position, .. } = outcome {
                *position += found[&wish.partition].0;
            }
        }
        Ok(written(batch, outcomes, &plan, &BTreeMap::new(), &found))
    }

    /// Boxed, because it is rarely taken and large.
    fn decided<'a>(&'a self, batch: &'a [Append]) -> BoxFuture<'a, Result<Written, sqlx::Error>> {
        decide(&self.database, batch).boxed()
    }

    async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if self.connection.is_none() {
            let connected = timeout(CONNECT, PgConnection::connect_with(&self.options)).await;
            self.connection = Some(connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))?);
        }
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }
}

/// Locks the heads, reads the facts, decides, writes.
pub async fn decide(database: &Database, batch: &[Append]) -> Result<Written, sqlx::Error> {
    let mut tx = database.begin().await?;
    let partitions = batch.iter().map(|wish| wish.partition).collect();
    let heads = facts::heads(tx.connection(), &partitions).await?;
    let mut facts = facts::read(tx.connection(), batch).await?;
    facts.heads.extend(heads);
    let bases: BTreeMap<Partition, Head> = facts.heads.clone();
    let now = on!(&mut tx, |db| sqlx::query_scalar("select current_timestamp").fetch_one(&mut **db).await)?;
    let (outcomes, plan) = judge(batch, facts, now);
    if plan.is_empty() {
        return Ok(Written { outcomes, heads: vec![], events: vec![] });
    }
    let arrays = Arrays::decided(batch, &plan, &bases)?;
    let found = match &mut tx {
        Transaction::Postgres(db) => arrays.append(db).await?.unwrap_or_default(),
        Transaction::Sqlite(_) => Bases::new(),
    };
    tx.commit().await?;
    Ok(written(batch, outcomes, &plan, &bases, &found))
}

/// What was written, at the places that the database gave it.
fn written(batch: &[Append], outcomes: Vec<Outcome>, plan: &Plan, judged_from: &BTreeMap<Partition, Head>, found: &Bases) -> Written {
    let place = |partition: Partition, position: Position| {
        let from = judged_from.get(&partition).map_or(0, |head| head.position);
        let (base, at) = found[&partition];
        (base + position - from, at)
    };
    let event = |planned: &judge::Planned| {
        let (position, recorded_at) = place(batch[planned.wish].partition, planned.position);
        Recorded { position, recorded_at, ..recorded(batch, planned) }
    };
    let events = plan.events.iter().map(event).collect();
    let heads = plan.heads.iter().map(|(partition, head)| (*partition, place(*partition, head.position).0)).collect();
    Written { outcomes, heads, events }
}

/// A key that another writer took first.
fn is_race(error: &sqlx::Error) -> bool {
    Fault::of(error) == Fault::Clash || error.as_database_error().is_some_and(|error| error.is_unique_violation())
}
