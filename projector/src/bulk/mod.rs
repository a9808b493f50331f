//! A new generation, built out of the whole log: each partition is folded in memory over many pages, and what came of it is written at
//! once, with the checkpoint, in one transaction. So it goes on where it ended, whatever ended it.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `lane` | threads that yield to those who serve requests |
//! | `pages` | the log, read ahead |
//! | `filling` | one partition |
//! | [`mod@index`] | indexes, made in the end |

mod filling;
pub mod index;
mod lane;
mod pages;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use database::{Either, Fault};
use event_log::{EventLog, Heads, Partition, Position};
use read_store::ReadStore;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{FoldError, Prepared};

pub use index::index;

/// More at once hold more in memory, and the disk is the same.
const MOST_LANES: usize = 4;

/// How a generation is built. Rows do not depend on it.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// How many events are read at once.
    pub page: usize,
    /// With so many rows in memory they are written.
    pub rows: usize,
    /// After so many events rows are written, however few they are.
    pub events: i64,
    /// How many partitions are folded at once.
    pub lanes: usize,
}

impl How {
    /// For a generation that is to be read. SQLite has one writer, whom nobody may hold for long.
    #[must_use]
    pub fn first(store: &ReadStore) -> Self {
        let lanes = std::thread::available_parallelism().map_or(1, |all| all.get() / 2).clamp(1, MOST_LANES);
        match store.database.writer {
            Either::Sqlite(_) => Self { page: 2_000, rows: 4_000, events: 20_000, lanes: 1 },
            Either::Postgres(_) => Self { page: 4_000, rows: 60_000, events: 200_000, lanes },
        }
    }

    /// For one that the first is compared with: its batches end elsewhere.
    #[must_use]
    pub fn second(store: &ReadStore) -> Self {
        let Self { page, rows, events, lanes } = Self::first(store);
        Self { page: page * 3 / 4 - 1, rows: rows * 3 / 4 + 1, events: events * 3 / 4 - 1, lanes }
    }
}

/// A checkpoint has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Of which partition.
    pub partition: Partition,
    /// From where.
    pub from: Position,
    /// To where.
    pub to: Position,
}

/// Why a generation could not be built. What is written stays, and the next one goes on there.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A disk is full.
    #[error("there is no room on the disk")]
    NoRoom(#[source] sqlx::Error),
    /// It cannot be folded by this program.
    #[error(transparent)]
    Fold(FoldError),
}

impl From<FoldError> for BuildError {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Database(error) => Self::from(error),
            error @ (FoldError::Newer { .. } | FoldError::Broken { .. } | FoldError::Refused { .. }) => Self::Fold(error),
        }
    }
}

impl From<sqlx::Error> for BuildError {
    fn from(error: sqlx::Error) -> Self {
        if Fault::is_no_room(&error) { Self::NoRoom(error) } else { Self::Fold(FoldError::Database(error)) }
    }
}

/// What all lanes of one building share.
#[derive(Clone)]
struct Site {
    log: EventLog,
    store: ReadStore,
    target: Prepared,
    how: How,
    /// Nobody wants it any more: what was begun is written, and no more.
    cancelled: CancellationToken,
}

/// What a lane tells.
enum News {
    Moved(Moved),
    /// There is no partition left for it, or it could not go on.
    Ended(Result<(), BuildError>),
}

/// Partitions that no lane has taken yet, and up to where each is to be folded.
type Queue = Arc<Mutex<VecDeque<(Partition, Position)>>>;

/// Folds the log into a generation that nobody else writes to, from its checkpoints up to `until`. Dropped, it ends soon, and goes on there
/// when it is called again. A database that is away is waited for.
///
/// # Errors
/// See [`BuildError`].
pub async fn build(
    log: &EventLog,
    store: &ReadStore,
    target: &Prepared,
    until: &Heads,
    how: How,
    mut told: impl FnMut(Moved),
) -> Result<(), BuildError> {
    let queue: Queue = Arc::new(Mutex::new(Partition::all().zip(*until).collect()));
    let cancelled = CancellationToken::new();
    let _ended = cancelled.clone().drop_guard();
    let site = Site { log: log.clone(), store: store.clone(), target: target.clone(), how, cancelled };
    let (tell, mut heard) = mpsc::channel(64);
    for _ in 0..how.lanes {
        let work = work(site.clone(), queue.clone(), tell.clone());
        lane::spawn(work).map_err(sqlx::Error::from)?;
    }
    drop(tell);
    for _ in 0..how.lanes {
        loop {
            match heard.recv().await {
                Some(News::Moved(moved)) => told(moved),
                Some(News::Ended(ended)) => break ended?,
                None => return Err(sqlx::Error::WorkerCrashed.into()),
            }
        }
    }
    Ok(())
}

async fn work(site: Site, queue: Queue, tell: mpsc::Sender<News>) {
    let ended = async {
        while let Some((partition, until)) = next(&queue) {
            filling::fill(&site, partition, until, &tell).await?;
        }
        Ok(())
    };
    let ended = ended.await;
    // Nobody listens any more to those who are dropped.
    let _ = tell.send(News::Ended(ended)).await;
}

fn next(queue: &Queue) -> Option<(Partition, Position)> {
    queue.lock().expect("no panic while it is held").pop_front()
}
