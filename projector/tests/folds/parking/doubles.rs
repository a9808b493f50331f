//! Folds that cannot cope.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use database::{Transaction, on};
use event_log::Recorded;
use events::{Event, ReactionEvent};
use futures::future::{BoxFuture, FutureExt};
use projector::{
    Fold, FoldError, Projection, Session,
    likes::Reactions,
    parking::Readable,
    projection,
    table::{Generation, Held, Table},
};
use read_store::{Definition, View};

use crate::history::pizza;

/// How a fold goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flaw {
    None,
    /// It panics, and nobody knows with which event.
    Panic,
    /// The database refuses what it writes.
    Refused,
}

/// The fold of reactions, which cannot cope with those to some pizzas.
pub struct Fragile {
    reactions: Arc<dyn Projection>,
    pizzas: Vec<usize>,
    flaw: Mutex<Flaw>,
    /// How often it has gone wrong.
    pub failed: AtomicUsize,
}

impl Fragile {
    pub fn new(flaw: Flaw, pizzas: &[usize]) -> Arc<Self> {
        let (reactions, pizzas) = (projection::of::<Reactions>(), pizzas.to_vec());
        Arc::new(Self { reactions, pizzas, flaw: Mutex::new(flaw), failed: AtomicUsize::new(0) })
    }

    pub fn set(&self, flaw: Flaw) {
        *self.flaw.lock().unwrap() = flaw;
    }

    pub fn mend(&self) {
        self.set(Flaw::None);
    }

    fn flaw(&self, events: &[Readable<'_>]) -> Flaw {
        let is_hard = |(event, _): &Readable<'_>| self.pizzas.iter().any(|n| liked(event, *n));
        if events.iter().any(is_hard) { *self.flaw.lock().unwrap() } else { Flaw::None }
    }
}

/// Whether a pizza is liked.
fn liked(event: &Event, n: usize) -> bool {
    matches!(event, Event::Reaction(ReactionEvent::PizzaLiked { pizza_id, .. }) if *pizza_id == pizza(n))
}

impl Projection for Fragile {
    fn view(&self) -> &'static View {
        self.reactions.view()
    }

    fn tables(&self) -> Vec<Definition> {
        self.reactions.tables()
    }

    fn shapes(&self) -> &'static [&'static Table] {
        &[]
    }

    fn lists(&self, event_type: &str) -> bool {
        self.reactions.lists(event_type)
    }

    fn begin(&self) -> Box<dyn Session> {
        self.reactions.begin()
    }

    fn fold<'a>(&'a self, db: &'a mut Transaction, generation: i64, events: &'a [Readable<'a>]) -> BoxFuture<'a, Result<(), FoldError>> {
        async move {
            self.reactions.fold(db, generation, events).await?;
            let flaw = self.flaw(events);
            self.failed.fetch_add(usize::from(flaw != Flaw::None), Ordering::Relaxed);
            match flaw {
                Flaw::None => Ok(()),
                Flaw::Panic => panic!("Ada's secret"),
                Flaw::Refused => {
                    let sql = "insert into live_generations (projection, version, generation) values ('users', null, 1)";
                    Ok(on!(db, |db| sqlx::query(sql).execute(&mut **db).await.map(drop))?)
                }
            }
        }
        .boxed()
    }
}

static NERVOUS: View = View { name: "nervous", version: 1, tables: &[] };

/// A fold without rows that panics where it needs the row of one pizza, and where it folds another.
#[derive(Default)]
pub struct Nervous;

impl Fold for Nervous {
    const VIEW: &'static View = &NERVOUS;
    const TYPES: &'static [&'static str] = Reactions::TYPES;
    const TABLES: &'static [&'static Table] = &[];

    fn need(&mut self, event: &Event, _: &Recorded) {
        assert!(!liked(event, 1), "Ada's secret");
    }

    async fn load(&mut self, _: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        Ok(())
    }

    fn apply(&mut self, event: &Event, _: &Recorded) {
        assert!(!liked(event, 2), "Ada's secret");
    }

    fn held(&self) -> Vec<&dyn Held> {
        vec![]
    }

    async fn store(&self, _: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        Ok(())
    }
}
