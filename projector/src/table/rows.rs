//! Rows that have one writer.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Generation, Table};

/// A row of a table, as serde sees it: a member for each column.
pub trait Row: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// Its table.
    const TABLE: &'static Table;
    /// Its key: serialised, it is an object of the key's columns.
    type Key: Ord + Clone + Debug + Serialize + DeserializeOwned + Send + Sync;

    /// Which row it is.
    fn key(&self) -> Self::Key;

    /// Whose it is.
    fn owner(&self) -> Option<Uuid> {
        None
    }
}

/// The rows that a batch concerns.
#[derive(Debug)]
pub struct Rows<R: Row> {
    keys: BTreeSet<R::Key>,
    owners: BTreeSet<Uuid>,
    loaded: BTreeMap<R::Key, R>,
    now: BTreeMap<R::Key, R>,
}

impl<R: Row> Default for Rows<R> {
    fn default() -> Self {
        Self { keys: BTreeSet::new(), owners: BTreeSet::new(), loaded: BTreeMap::new(), now: BTreeMap::new() }
    }
}

impl<R: Row> Rows<R> {
    /// A row that the batch concerns.
    pub fn need(&mut self, key: R::Key) {
        self.keys.insert(key);
    }

    /// An owner all of whose rows the batch concerns.
    pub fn need_owner(&mut self, owner: impl Into<Uuid>) {
        self.owners.insert(owner.into());
    }

    /// A row, if it is there.
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.now.get(key)
    }

    /// Makes or replaces a row.
    pub fn put(&mut self, row: R) {
        self.now.insert(row.key(), row);
    }

    /// Changes a row, if it is there.
    pub fn change(&mut self, key: &R::Key, change: impl FnOnce(&mut R)) {
        if let Some(row) = self.now.get_mut(key) {
            change(row);
        }
    }

    /// Changes all rows of an owner.
    pub fn change_owned(&mut self, owner: impl Into<Uuid>, mut change: impl FnMut(&mut R)) {
        let owner = owner.into();
        self.now.values_mut().filter(|row| row.owner() == Some(owner)).for_each(&mut change);
    }

    /// Removes a row; it is returned, if it was there.
    pub fn remove(&mut self, key: &R::Key) -> Option<R> {
        self.now.remove(key)
    }

    /// Removes all rows of an owner, and returns them.
    pub fn remove_owned(&mut self, owner: impl Into<Uuid>) -> Vec<R> {
        let owner = owner.into();
        self.now.extract_if(.., |_, row| row.owner() == Some(owner)).map(|(_, row)| row).collect()
    }

    /// Fetches the rows that were asked for.
    ///
    /// # Errors
    /// The database's own.
    pub async fn load(&mut self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        let table = R::TABLE;
        let keys: Vec<_> = self.keys.iter().collect();
        let mut found = table.fetch::<R>(table.key_columns(), &keys, db).await?;
        if let Some(owner) = table.owner {
            let owners: Vec<_> = self.owners.iter().map(|id| BTreeMap::from([(owner.name, id)])).collect();
            found.extend(table.fetch(&[owner], &owners, db).await?);
        }
        self.loaded = found.into_iter().map(|row| (row.key(), row)).collect();
        self.now = self.loaded.clone();
        Ok(())
    }

    /// Writes what changed. Keys are sorted, so that two writers never wait for each other in a circle.
    ///
    /// # Errors
    /// The database's own.
    pub async fn store(&self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        let table = R::TABLE;
        let gone: Vec<_> = self.loaded.keys().filter(|key| !self.now.contains_key(key)).collect();
        table.delete(&gone, db).await?;
        let changed: Vec<_> = self.now.iter().filter(|(key, row)| self.loaded.get(key) != Some(row)).map(|(_, row)| row).collect();
        let set: Vec<_> = table.columns[table.key..].iter().map(|c| format!("{0} = excluded.{0}", c.name)).collect();
        let then = if set.is_empty() { "nothing".into() } else { format!("update set {}", set.join(", ")) };
        table.upsert(&then, &changed, db).await
    }
}
