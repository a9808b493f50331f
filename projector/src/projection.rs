//! What a projection is.

use std::{marker::PhantomData, sync::Arc};

use database::Transaction;
use event_log::{Position, Recorded};
use events::{DecodeError, Event};
use futures::future::{BoxFuture, FutureExt};
use read_store::{Definition, View};

use crate::{
    parking::{Readable, each},
    table::{Generation, Table},
};

/// One batch's fold: first what it needs, then each event, then what changed. It uses nothing but its events and its own
/// rows: no clock, no randomness, no table of another making.
pub trait Fold: Default + Send + Sync {
    /// Its name, version and tables.
    const VIEW: &'static View;
    /// The types of event that it folds; others are passed over unread. All of a stream's kind, where a row bears its version.
    const TYPES: &'static [&'static str];
    /// The shapes of its tables.
    const TABLES: &'static [&'static Table];

    /// Says which rows an event concerns.
    fn need(&mut self, event: &Event, recorded: &Recorded);

    /// Fetches them.
    fn load(&mut self, db: &mut Generation<'_>) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Folds one event.
    fn apply(&mut self, event: &Event, recorded: &Recorded);

    /// Writes what changed.
    fn store(&self, db: &mut Generation<'_>) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A projection, as the worker sees it.
pub trait Projection: Send + Sync {
    /// Its name, version and tables.
    fn view(&self) -> &'static View;

    /// The statements that make its tables.
    fn tables(&self) -> Vec<Definition>;

    /// Whether it folds events of a type; others are passed over unread.
    fn lists(&self, event_type: &str) -> bool;

    /// Folds events into the tables of a generation, within the worker's transaction.
    fn fold<'a>(&'a self, db: &'a mut Transaction, generation: i64, events: &'a [Readable<'a>]) -> BoxFuture<'a, Result<(), FoldError>>;

    /// Begins a fold that goes on over many batches before anything is written.
    fn begin(&self) -> Box<dyn Folding>;
}

/// A fold over many batches.
pub trait Folding: Send + Sync {
    /// Folds one more batch, in memory; what it needs is looked up.
    fn fold<'a>(&'a mut self, at: Generation<'a>, events: &'a [Readable<'a>]) -> BoxFuture<'a, Result<(), FoldError>>;

    /// Writes what all batches changed. The fold has come to its end then.
    fn store<'a>(&'a self, at: Generation<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

/// Why a batch could not be folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The database failed; again later.
    #[error("the read store failed")]
    Database(#[from] sqlx::Error),
    /// A newer release has written an event. The projection stops before it, for all to see, and waits for that release.
    #[error("event {position} cannot be read")]
    Newer {
        /// Where it is in its partition.
        position: Position,
        /// What is newer.
        #[source]
        source: DecodeError,
    },
    /// The fold cannot cope with an event: it is parked.
    #[error("event {position} cannot be folded: {reason}")]
    Broken {
        /// Where it is in its partition.
        position: Position,
        /// Why, without a value of it.
        reason: String,
    },
    /// The fold cannot cope with one of its events, and which it is has to be found out.
    #[error("an event cannot be folded: {reason}")]
    Refused {
        /// Why, without a value of it.
        reason: String,
    },
}

/// The projection that a fold makes.
#[must_use]
pub fn of<F: Fold + 'static>() -> Arc<dyn Projection> {
    Arc::new(Of::<F>(PhantomData))
}

struct Of<F>(PhantomData<fn() -> F>);

impl<F: Fold + 'static> Projection for Of<F> {
    fn view(&self) -> &'static View {
        F::VIEW
    }

    fn tables(&self) -> Vec<Definition> {
        F::TABLES.iter().map(|table| table.definition()).collect()
    }

    fn lists(&self, event_type: &str) -> bool {
        F::TYPES.contains(&event_type)
    }

    fn fold<'a>(&'a self, db: &'a mut Transaction, generation: i64, events: &'a [Readable<'a>]) -> BoxFuture<'a, Result<(), FoldError>> {
        async move {
            let mut fold = F::default();
            each(events, |event, recorded| fold.need(event, recorded))?;
            let mut db = Generation { db, view: F::VIEW, number: generation, bulk: None };
            fold.load(&mut db).await?;
            each(events, |event, recorded| fold.apply(event, recorded))?;
            Ok(fold.store(&mut db).await?)
        }
        .boxed()
    }

    fn begin(&self) -> Box<dyn Folding> {
        Box::new(Begun(F::default()))
    }
}

struct Begun<F>(F);

impl<F: Fold> Folding for Begun<F> {
    fn fold<'a>(&'a mut self, mut at: Generation<'a>, events: &'a [Readable<'a>]) -> BoxFuture<'a, Result<(), FoldError>> {
        async move {
            each(events, |event, recorded| self.0.need(event, recorded))?;
            self.0.load(&mut at).await?;
            each(events, |event, recorded| self.0.apply(event, recorded))
        }
        .boxed()
    }

    fn store<'a>(&'a self, mut at: Generation<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async move { self.0.store(&mut at).await }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use events::{PizzaEvent, PizzeriaEvent, ReactionEvent, UserEvent, Vocabulary};

    use super::*;
    use crate::{likes::Reactions, pizzas::Pizzas, pizzerias::Pizzerias, users::Users};

    /// Else the version of a row would be behind its stream's for ever, and what a client has seen never the newest.
    #[test]
    fn where_a_row_bears_its_streams_version_every_event_of_it_is_folded() {
        fn folds_all<F: Fold, E: Vocabulary>() {
            let missing: Vec<_> = E::TYPES.iter().map(|event| event.name).filter(|name| !F::TYPES.contains(name)).collect();
            assert_eq!(missing, [""; 0], "{}", F::VIEW.name);
        }
        folds_all::<Users, UserEvent>();
        folds_all::<Pizzerias, PizzeriaEvent>();
        folds_all::<Pizzas, PizzaEvent>();
        folds_all::<Reactions, ReactionEvent>();
    }
}
