//! Which generations are folded: they come and go while workers run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use read_store::{Generation, ReadStore, Role};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Folds, Prepared, projections};

/// How often it is looked whether another process has made or dropped one.
const LOOK: Duration = Duration::from_millis(500);

/// How often it is said that they are folded.
const SAY: Duration = Duration::from_secs(20);

/// The generations that this program's workers fold; clones share them.
#[derive(Clone)]
pub struct Folding {
    store: ReadStore,
    generations: Arc<watch::Sender<Vec<Prepared>>>,
}

impl Folding {
    /// Those that there are now.
    ///
    /// # Errors
    /// The database's own.
    pub async fn open(store: &ReadStore) -> Result<Self, sqlx::Error> {
        let folding = Self { store: store.clone(), generations: Arc::default() };
        folding.refresh().await?;
        Ok(folding)
    }

    /// Looks them up again; workers learn of what has changed before their next batch.
    ///
    /// # Errors
    /// The database's own.
    pub async fn refresh(&self) -> Result<(), sqlx::Error> {
        let found: Vec<_> = self.store.generations().await?.iter().filter_map(prepared).collect();
        self.generations.send_if_modified(|known| {
            let same = known.iter().map(Prepared::identity).eq(found.iter().map(Prepared::identity));
            *known = found;
            !same
        });
        Ok(())
    }

    /// To be watched by workers.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Vec<Prepared>> {
        self.generations.subscribe()
    }

    /// Looks again and again, until `shutdown`.
    pub async fn follow(&self, shutdown: &CancellationToken) {
        let mut said: Option<Instant> = None;
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let mut done = self.refresh().await;
            if done.is_ok() && said.is_none_or(|said| said.elapsed() > SAY) {
                said = Some(Instant::now());
                done = self.say().await;
            }
            if let Err(error) = done {
                tracing::debug!(%error, "which generations there are cannot be read");
            }
        }
    }

    /// Says which versions are folded: what another release folds is not dropped.
    async fn say(&self) -> Result<(), sqlx::Error> {
        for projection in projections() {
            self.store.is_folding(projection.view()).await?;
        }
        Ok(())
    }
}

/// A generation of this program's version, as workers see it.
fn prepared(generation: &Generation) -> Option<Prepared> {
    let folds = match generation.role {
        Role::Folded => Folds::Everything,
        Role::Copy => Folds::Deletions,
        Role::Building | Role::Astray | Role::Gone => return None,
    };
    let own = |view: &read_store::View| view.name == generation.projection && view.version == generation.version;
    let projection = projections().into_iter().find(|projection| own(projection.view()))?;
    Some(Prepared { projection, generation: generation.generation, folds })
}
