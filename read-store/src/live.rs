//! Which generation of each view is read.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Display,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use database::on;
use sqlx::AssertSqlSafe;

use crate::{ReadError, ReadStore, View, views};

/// How long which generations are live is taken for granted.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Which generation of each view is read; taken once for a whole request.
#[derive(Debug)]
pub struct Live {
    /// The log's epoch that their rows are of.
    pub epoch: u32,
    generations: BTreeMap<&'static str, i64>,
    /// Statements, expanded once.
    expanded: RwLock<HashMap<&'static str, Arc<str>>>,
}

impl Live {
    /// The live generation of a view, if it is built.
    #[must_use]
    pub fn generation(&self, view: &View) -> Option<i64> {
        self.generations.get(view.name).copied()
    }

    /// A statement for these generations: `{pizzas}` becomes `pizzas_g1`. Nothing else is ever put into a statement.
    pub fn sql(&self, template: &'static str) -> AssertSqlSafe<Arc<str>> {
        if let Some(known) = self.expanded.read().expect("no panic while it is held").get(template) {
            return AssertSqlSafe(known.clone());
        }
        let built = views::ALL.into_iter().filter_map(|view| Some((view, self.generation(view)?)));
        let sql: Arc<str> = built.fold(template.to_owned(), |sql, (view, generation)| expand(&sql, view, generation)).into();
        self.expanded.write().expect("no panic while it is held").insert(template, sql.clone());
        AssertSqlSafe(sql)
    }
}

/// A statement for one generation of one view.
#[must_use]
pub fn expand(template: &str, view: &View, generation: i64) -> String {
    view.tables.iter().fold(template.to_owned(), |sql, table| sql.replace(&format!("{{{table}}}"), &table_of(table, generation)))
}

/// A table's name in the database.
#[must_use]
pub fn table_of(table: &str, generation: impl Display) -> String {
    format!("{table}_g{generation}")
}

impl ReadStore {
    /// The generations to read now. A view may have none yet.
    ///
    /// # Errors
    /// The database's own.
    pub async fn live(&self) -> Result<Arc<Live>, sqlx::Error> {
        let known = self.live.read().expect("no panic while it is held").clone();
        if let Some((read_at, live)) = &known
            && read_at.elapsed() < REMEMBERED
        {
            return Ok(live.clone());
        }
        let sql = "select projection, version, generation from live_generations";
        let found: Vec<(String, i64, i64)> = on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?;
        let own = |view: &'static View| found.iter().find(|(name, version, _)| *name == view.name && *version == view.version);
        let generations: BTreeMap<_, _> = views::ALL.into_iter().filter_map(|view| Some((view.name, own(view)?.2))).collect();
        let epoch = self.epoch().await?;
        let same = known.map(|(_, live)| live).filter(|live| live.epoch == epoch && live.generations == generations);
        let live = same.unwrap_or_else(|| Arc::new(Live { epoch, generations, expanded: RwLock::default() }));
        *self.live.write().expect("no panic while it is held") = Some((Instant::now(), live.clone()));
        Ok(live)
    }

    /// Has the live generations looked up again.
    pub fn forget_live(&self) {
        *self.live.write().expect("no panic while it is held") = None;
    }

    /// The live generations, of which those of `views` must be built.
    ///
    /// # Errors
    /// One is not built yet: then how far it is.
    pub async fn live_of(&self, views: &[&View]) -> Result<Arc<Live>, ReadError> {
        let live = self.live().await?;
        let Some(missing) = views.iter().find(|view| live.generation(view).is_none()) else { return Ok(live) };
        Err(ReadError::NotBuilt { view: missing.name, progress: self.building(missing).await? })
    }
}
