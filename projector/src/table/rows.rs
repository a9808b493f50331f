//! Rows that have one writer.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt::Debug,
    hash::Hash,
};

use database::Either;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Generation, Table};

/// A row of a table, as serde sees it: a member for each column, in the table's order.
pub trait Row: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// Its table.
    const TABLE: &'static Table;
    /// Its key: serialised, it is an object of the key's columns.
    type Key: Ord + Hash + Clone + Debug + Serialize + Send + Sync;

    /// Which row it is.
    fn key(&self) -> Self::Key;

    /// Whose it is.
    fn owner(&self) -> Option<Uuid> {
        None
    }
}

/// The rows that one or several batches concern.
#[derive(Debug)]
pub struct Rows<R: Row> {
    rows: BTreeMap<R::Key, Held<R>>,
    /// To be fetched, with those of `owners`.
    wanted: Vec<R::Key>,
    owners: BTreeSet<Uuid>,
}

/// A row in memory.
#[derive(Debug)]
struct Held<R> {
    stored: Stored<R>,
    now: Option<R>,
}

/// What the table has, as far as it is known.
#[derive(Debug)]
enum Stored<R> {
    /// Nobody has looked.
    Unknown,
    Nothing,
    This(Box<R>),
}

impl<R: Row> Default for Rows<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), wanted: vec![], owners: BTreeSet::new() }
    }
}

impl<R: Row> Rows<R> {
    /// A row that the batch concerns.
    pub fn need(&mut self, key: R::Key) {
        if let Entry::Vacant(vacant) = self.rows.entry(key) {
            self.wanted.push(vacant.key().clone());
            vacant.insert(Held { stored: Stored::Nothing, now: None });
        }
    }

    /// An owner all of whose rows the batch concerns.
    pub fn need_owner(&mut self, owner: impl Into<Uuid>) {
        self.owners.insert(owner.into());
    }

    /// A row, if it is there.
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.rows.get(key)?.now.as_ref()
    }

    /// Makes or replaces a row.
    pub fn put(&mut self, row: R) {
        let held = self.rows.entry(row.key()).or_insert(Held { stored: Stored::Unknown, now: None });
        held.now = Some(row);
    }

    /// Changes a row, if it is there.
    pub fn change(&mut self, key: &R::Key, change: impl FnOnce(&mut R)) {
        if let Some(row) = self.rows.get_mut(key).and_then(|held| held.now.as_mut()) {
            change(row);
        }
    }

    /// Changes all rows of an owner.
    pub fn change_owned(&mut self, owner: impl Into<Uuid>, mut change: impl FnMut(&mut R)) {
        let owner = owner.into();
        self.rows.values_mut().filter_map(|held| held.now.as_mut()).filter(|row| row.owner() == Some(owner)).for_each(&mut change);
    }

    /// Removes a row; it is returned, if it was there.
    pub fn remove(&mut self, key: &R::Key) -> Option<R> {
        self.rows.get_mut(key)?.now.take()
    }

    /// Removes all rows of an owner, and returns them.
    pub fn remove_owned(&mut self, owner: impl Into<Uuid>) -> Vec<R> {
        let owner = owner.into();
        self.rows.values_mut().filter_map(|held| held.now.take_if(|row| row.owner() == Some(owner))).collect()
    }

    /// Fetches the rows that were asked for and are not in memory yet.
    ///
    /// # Errors
    /// The database's own.
    pub async fn load(&mut self, at: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        let table = R::TABLE;
        let (mut wanted, mut owners) = (std::mem::take(&mut self.wanted), std::mem::take(&mut self.owners));
        let before = self.rows.len() - wanted.len();
        if let Some(bulk) = &at.bulk {
            wanted.retain(|key| bulk.may_have(table.name, key));
            owners.retain(|owner| bulk.may_have(table.name, owner));
        }
        for row in table.fetch::<R>(table.key_columns(), &wanted, at).await? {
            self.rows.insert(row.key(), Held::of(row));
        }
        if let Some(owner) = table.owner {
            let owners: Vec<_> = owners.iter().map(|id| BTreeMap::from([(owner.name, id)])).collect();
            for row in table.fetch::<R>(&[owner], &owners, at).await? {
                self.rows.entry(row.key()).or_insert_with(|| Held::of(row));
            }
        }
        if let Some(bulk) = &mut at.bulk {
            bulk.held += self.rows.len() - before;
        }
        Ok(())
    }

    /// Writes what changed. Keys are sorted, so that two writers never wait for each other in a circle.
    ///
    /// # Errors
    /// The database's own.
    pub async fn store(&self, at: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        let table = R::TABLE;
        let gone: Vec<_> = self.rows.iter().filter(|(_, held)| held.is_gone()).map(|(key, _)| key).collect();
        table.delete(&gone, at).await?;
        let (new, changed): (Vec<_>, Vec<_>) = self.rows.values().filter_map(Held::written).partition(|(is_new, _)| *is_new);
        let [new, mut changed] = [new, changed].map(|rows| rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
        match (&mut at.bulk, &at.db) {
            (Some(_), Either::Postgres(_)) => table.copy(&new, at).await?,
            (Some(_), Either::Sqlite(_)) | (None, _) => merge(&mut changed, &new),
        }
        if let Some(bulk) = &mut at.bulk {
            for row in new.iter().chain(&changed) {
                bulk.wrote(table.name, &row.key());
                row.owner().inspect(|owner| bulk.wrote(table.name, owner));
            }
        }
        let set: Vec<_> = table.columns[table.key..].iter().map(|c| format!("{0} = excluded.{0}", c.name)).collect();
        let then = if set.is_empty() { "nothing".into() } else { format!("update set {}", set.join(", ")) };
        table.upsert(&then, &changed, at).await
    }
}

/// Some more rows, in the order of their keys.
fn merge<'a, R: Row>(rows: &mut Vec<&'a R>, more: &[&'a R]) {
    if !more.is_empty() {
        rows.extend(more);
        rows.sort_by_cached_key(|row| row.key());
    }
}

impl<R: Row> Held<R> {
    fn of(row: R) -> Self {
        Self { stored: Stored::This(Box::new(row.clone())), now: Some(row) }
    }

    fn is_gone(&self) -> bool {
        self.now.is_none() && !matches!(self.stored, Stored::Nothing)
    }

    /// What is to be written, and whether it is known that it is new.
    fn written(&self) -> Option<(bool, &R)> {
        let now = self.now.as_ref()?;
        match &self.stored {
            Stored::Unknown => Some((false, now)),
            Stored::Nothing => Some((true, now)),
            Stored::This(stored) => (**stored != *now).then_some((false, now)),
        }
    }
}
