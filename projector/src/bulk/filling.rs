//! One partition, folded into a generation that nobody else writes to.

use std::{panic::AssertUnwindSafe, time::Duration};

use database::Fault;
use event_log::{Partition, Position};
use futures::FutureExt;
use read_store::{checkpoints::advance, parked};
use tokio::sync::mpsc;

use super::{
    BuildError, Moved, News, Site,
    pages::{Page, Pages},
};
use crate::{
    FoldError, Session,
    parking::{
        self, Known, Parking,
        reason::{of_panic, of_refusal},
        sort,
    },
    ports::Rows,
    table::{Bulk, Generation},
};

/// How long a database that is away is left alone.
const PAUSE: Duration = Duration::from_millis(250);
/// How many events are folded at once where one of them has to be found.
const SMALL: usize = 500;

/// What goes on between two transactions.
struct Filling<'a> {
    site: &'a Site,
    partition: Partition,
    /// Where the checkpoint is.
    from: Position,
    known: Known,
    bulk: Bulk,
    fold: Box<dyn Session>,
    parked: Vec<Parking>,
}

/// Why it has to begin again at the checkpoint.
enum Stopped {
    /// A fold cannot cope with an event.
    Broken(Position, String),
    /// It is not known with which, up to here.
    Refused(Position),
    /// A database is away, or somebody was in the way.
    Disturbed,
    Failed(BuildError),
}

impl From<FoldError> for Stopped {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Broken { position, reason } => Self::Broken(position, reason),
            FoldError::Database(error) => Self::from(error),
            error @ (FoldError::Newer { .. } | FoldError::Refused { .. }) => Self::Failed(error.into()),
        }
    }
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        if matches!(Fault::of(&error), Fault::Away | Fault::Clash) { Self::Disturbed } else { Self::Failed(error.into()) }
    }
}

/// Folds a partition from its checkpoint up to `until`.
pub async fn fill(site: &Site, partition: Partition, mut until: Position, tell: &mpsc::Sender<News>) -> Result<(), BuildError> {
    let mut known = Known::default();
    while !site.cancelled.is_cancelled() {
        let stopped = match Filling::run(site, partition, until, &known, tell).await {
            Ok(()) => return Ok(()),
            Err(stopped) => stopped,
        };
        match stopped {
            Stopped::Broken(position, reason) => _ = known.broken.insert(position, reason),
            Stopped::Refused(upto) => match step(site, partition, upto, tell).await {
                Ok(()) => {}
                Err(Stopped::Failed(error)) => return Err(error),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Stopped::Disturbed => tokio::time::sleep(PAUSE).await,
            // A worker will stand still there, for all to see.
            Stopped::Failed(BuildError::Fold(FoldError::Newer { position, .. })) => until = position - 1,
            Stopped::Failed(error) => return Err(error),
        }
    }
    Ok(())
}

async fn checkpoint(site: &Site, partition: Partition) -> Result<Position, sqlx::Error> {
    let (name, generation) = site.target.key();
    let checkpoints = site.store.checkpoints().await?;
    Ok(checkpoints.get(&(name.to_owned(), generation)).map_or(0, |positions| positions[partition.index()]))
}

/// As workers fold: they find out which event is to be parked.
async fn step(site: &Site, partition: Partition, upto: Position, tell: &mpsc::Sender<News>) -> Result<(), Stopped> {
    loop {
        let from = checkpoint(site, partition).await?;
        if from >= upto {
            return Ok(());
        }
        let batch = site.log.read(partition, from, SMALL.min((upto - from) as usize)).await?;
        let to = from + batch.len() as Position;
        let into = std::slice::from_ref(&site.target);
        if site.store.write(into, partition, from, to, &batch).await? {
            let _ = tell.send(News::Moved(Moved { partition, from, to })).await;
        }
    }
}

impl<'a> Filling<'a> {
    async fn run(site: &'a Site, partition: Partition, until: Position, known: &Known, tell: &mpsc::Sender<News>) -> Result<(), Stopped> {
        let from = checkpoint(site, partition).await?;
        if from >= until {
            return Ok(());
        }
        let mut filling = Self::begin(site, partition, from, known.clone()).await?;
        let mut pages = Pages::read(&site.log, &site.target, partition, (from, until), site.how.page).map_err(sqlx::Error::from)?;
        while let Some(page) = pages.next().await {
            let page = page?;
            let refused = |stopped| {
                if let Stopped::Failed(BuildError::Fold(FoldError::Refused { .. })) = stopped { Stopped::Refused(page.to) } else { stopped }
            };
            filling.fold(&page).await.map_err(refused)?;
            if site.cancelled.is_cancelled() {
                return Ok(());
            }
            if page.to == until || filling.is_full(page.to) {
                let moved = filling.flush(page.to).await.map_err(refused)?;
                let _ = tell.send(News::Moved(moved)).await;
            }
        }
        Ok(())
    }

    async fn begin(site: &'a Site, partition: Partition, from: Position, known: Known) -> Result<Self, sqlx::Error> {
        let view = site.target.projection.view();
        let skipped = site.store.skipped(view.name, view.version, partition).await?;
        let mut db = site.store.database.snapshot().await?;
        let held = parked::all_held(&mut db, site.target.place(partition)).await?;
        let bulk = if from == 0 { Bulk::empty() } else { Bulk::default() };
        let fold = site.target.projection.begin();
        Ok(Self { site, partition, from, known: Known { held, skipped, ..known }, bulk, fold, parked: vec![] })
    }

    fn is_full(&self, at: Position) -> bool {
        self.bulk.held >= self.site.how.rows || at - self.from >= self.site.how.events
    }

    async fn fold(&mut self, page: &Page) -> Result<(), Stopped> {
        let sorted = sort(&page.events, |name| self.site.target.lists(name), &self.known)?;
        if !sorted.fold.is_empty() {
            let mut db = self.site.store.database.snapshot().await?;
            let target = &self.site.target;
            let at = Generation { db: &mut db, view: target.projection.view(), number: target.generation, bulk: Some(&mut self.bulk) };
            caught(self.fold.fold(at, &sorted.fold)).await?;
        }
        self.known.held = sorted.held;
        if !sorted.park.is_empty() {
            self.parked.push(sorted.park);
        }
        Ok(())
    }

    /// Writes what there is, and begins anew.
    async fn flush(&mut self, to: Position) -> Result<Moved, Stopped> {
        let Self { site: Site { store, target, .. }, partition, from, .. } = *self;
        let mut tx = store.database.begin().await?;
        if advance(&mut tx, &[target.key()], partition, from, to).await?.is_none() {
            return Err(Stopped::Disturbed);
        }
        let at = Generation { db: &mut tx, view: target.projection.view(), number: target.generation, bulk: Some(&mut self.bulk) };
        caught(async { Ok(self.fold.store(at).await?) }).await?;
        for parked in self.parked.drain(..) {
            parking::write(&mut tx, target.place(partition), &parked).await?;
        }
        tx.commit().await?;
        self.fold = target.projection.begin();
        self.bulk.held = 0;
        self.from = to;
        Ok(Moved { partition, from, to })
    }
}

/// A fold that panics, or writes what the database refuses, is no reason to stop: an event of it will be parked.
async fn caught(folding: impl Future<Output = Result<(), FoldError>>) -> Result<(), FoldError> {
    match AssertUnwindSafe(folding).catch_unwind().await {
        Ok(Err(FoldError::Database(error))) if Fault::of(&error) == Fault::Data => Err(FoldError::Refused { reason: of_refusal(&error) }),
        Ok(folded) => folded,
        Err(panic) => Err(FoldError::Refused { reason: of_panic(panic) }),
    }
}
