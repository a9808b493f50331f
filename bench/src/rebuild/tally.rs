//! How many events there are of each stream's kind: nothing to look up, next to nothing to write.

use event_log::Recorded;
use events::Event;
use projector::{
    Fold,
    likes::Reactions,
    table::{Counters, Generation, Held, Table, id, number},
};
use read_store::View;
use uuid::Uuid;

static TALLY: View = View { name: "tally", version: 1, tables: &["tally"] };
static TABLE: Table = Table { name: "tally", columns: &[id("pizza_id"), number("events")], key: 1, owner: None, indexes: &[] };

/// The fold.
pub struct Tally(Counters);

impl Default for Tally {
    fn default() -> Self {
        Self(Counters::new(&TABLE))
    }
}

impl Fold for Tally {
    const VIEW: &'static View = &TALLY;
    const TYPES: &'static [&'static str] = Reactions::TYPES;
    const TABLES: &'static [&'static Table] = &[&TABLE];

    fn need(&mut self, _: &Event, _: &Recorded) {}

    async fn load(&mut self, _: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        Ok(())
    }

    fn apply(&mut self, event: &Event, _: &Recorded) {
        let of = match event {
            Event::Reaction(events::ReactionEvent::PizzaLiked { pizza_id, .. }) => pizza_id.0,
            Event::User(_) | Event::Superuser(_) | Event::Pizzeria(_) | Event::Pizza(_) | Event::Reaction(_) => Uuid::nil(),
        };
        self.0.add(of, &[1]);
    }

    fn held(&self) -> Vec<&dyn Held> {
        vec![&self.0]
    }

    async fn store(&self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.0.store(db).await
    }
}
