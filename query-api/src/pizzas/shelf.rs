//! The ids of all pizzas that everyone may see, in memory: to draw from a million of them, each as likely as any other, without
//! asking the database for more than those that are drawn.
//!
//! The shelf may be a little old: what is drawn is looked up, so nothing that is gone is shown. It is filled anew, one request at
//! a time, when it is older than a second and something was folded since, or when a token asks for more than it has.

use std::{
    sync::{Arc, Mutex as StdMutex},
    time::{Duration, Instant},
};

use database::on;
use read_store::{
    PARTITIONS, Positions,
    views::{PIZZAS, PIZZERIAS},
};
use service_kit::Problem;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::app::{Reader, RowsOf};

/// How old it may be.
const FRESH: Duration = Duration::from_secs(1);

/// The ids, and what they were read from.
#[derive(Debug)]
pub struct Filled {
    pub ids: Vec<Uuid>,
    as_of: Positions,
    generations: [Option<i64>; 2],
}

fn generations(rows: &RowsOf) -> [Option<i64>; 2] {
    [rows.live.generation(&PIZZAS), rows.live.generation(&PIZZERIAS)]
}

/// Filled when it is needed.
#[derive(Debug, Default)]
pub struct Shelf {
    filled: StdMutex<Option<(Arc<Filled>, Instant)>>,
    filling: Mutex<()>,
}

impl Shelf {
    /// The ids; those that a token asks for are among them.
    pub async fn ids(&self, app: &crate::App, reader: &Reader, rows: &RowsOf) -> Result<Arc<Filled>, Problem> {
        if let Some(filled) = self.usable(reader, rows) {
            return Ok(filled);
        }
        let _turn = self.filling.lock().await;
        if let Some(filled) = self.usable(reader, rows) {
            return Ok(filled);
        }
        let generations = generations(rows);
        let checkpoints = app.store.checkpoints().await?;
        let of = |name: &str, generation: Option<i64>| checkpoints.get(&(name.to_owned(), generation?)).copied();
        let (pizzas, pizzerias) = (of(PIZZAS.name, generations[0]), of(PIZZERIAS.name, generations[1]));
        let (pizzas, pizzerias) = (pizzas.unwrap_or_default(), pizzerias.unwrap_or_default());
        let mut as_of = pizzas;
        as_of.iter_mut().zip(pizzerias).for_each(|(position, other)| *position = other.min(*position));

        let before = self.filled.lock().expect("no panic while it is held").as_ref().map(|(filled, _)| filled.clone());
        let filled = match before {
            Some(before) if before.as_of == as_of && before.generations == generations => before,
            _ => Arc::new(Filled { ids: read(rows).await?, as_of, generations }),
        };
        *self.filled.lock().expect("no panic while it is held") = Some((filled.clone(), Instant::now()));
        Ok(filled)
    }

    fn usable(&self, reader: &Reader, rows: &RowsOf) -> Option<Arc<Filled>> {
        let filled = self.filled.lock().expect("no panic while it is held");
        let (filled, at) = filled.as_ref()?;
        let current = filled.generations == generations(rows);
        let includes = reader.places.iter().all(|(partition, position)| filled.as_of[usize::from(partition % PARTITIONS)] >= *position);
        (current && includes && at.elapsed() < FRESH).then(|| filled.clone())
    }
}

async fn read(rows: &RowsOf) -> Result<Vec<Uuid>, sqlx::Error> {
    let sql = rows.live.sql(
        "select p.pizza_id from {pizzas} p join {pizzerias} z on z.pizzeria_id = p.pizzeria_id
        where p.approved and not p.deleted and not z.closed",
    );
    on!(&rows.db, |db| sqlx::query_scalar(sql).fetch_all(db).await)
}
