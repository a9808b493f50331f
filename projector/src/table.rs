//! The rows of a table while a batch is folded: those that the batch concerns are loaded with one statement, changed in
//! memory, and what changed is written back with one statement. So a fold is a plain function from rows and an event to
//! rows, and how events are cut into batches cannot matter.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use read_store::View;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{AssertSqlSafe, SqliteConnection, types::Json};
use uuid::Uuid;

/// A table's shape; its name is followed by the generation's number in the database.
#[derive(Debug)]
pub struct Table {
    /// Without generation.
    pub name: &'static str,
    /// The first ones are the key.
    pub columns: &'static [Column],
    /// How many columns the key has.
    pub key: usize,
    /// The user whose rows are found when the account is deleted.
    pub owner: Option<&'static str>,
    /// Columns of further indexes.
    pub indexes: &'static [&'static [&'static str]],
}

/// A column.
#[derive(Debug)]
pub struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Id,
    Text,
    Number,
    Flag,
    Time,
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident $kind:ident),+) => { $(
        $(#[$doc])*
        #[must_use]
        pub const fn $name(name: &'static str) -> Column {
            Column { name, kind: Kind::$kind, nullable: false }
        }
    )+ };
}

columns! {
    /// A UUID.
    id Id,
    /// Text.
    text Text,
    /// A whole number.
    number Number,
    /// True or false.
    flag Flag,
    /// A time, in UTC.
    time Time
}

impl Column {
    /// The same column, where there may be nothing.
    #[must_use]
    pub const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    fn definition(&self) -> String {
        let kind = match self.kind {
            Kind::Id => "blob",
            Kind::Text | Kind::Time => "text",
            Kind::Number | Kind::Flag => "integer",
        };
        format!("{} {kind}{}", self.name, if self.nullable { "" } else { " not null" })
    }

    /// The column's value, as JSON has it.
    fn to_json(&self) -> String {
        match self.kind {
            Kind::Id => format!("'{0}', lower(hex({0}))", self.name),
            Kind::Flag => format!("'{0}', json(iif({0}, 'true', 'false'))", self.name),
            Kind::Text | Kind::Number | Kind::Time => format!("'{0}', {0}", self.name),
        }
    }

    /// A value for the column, from a JSON object.
    fn of_json(&self) -> String {
        match self.kind {
            Kind::Id => format!("unhex(value->>'{}', '-')", self.name),
            Kind::Text | Kind::Number | Kind::Time | Kind::Flag => format!("value->>'{}'", self.name),
        }
    }
}

impl Table {
    /// The statements that make it, with its name in braces.
    #[must_use]
    pub fn definition(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(Column::definition).collect();
        let key = self.names(self.columns.get(..self.key).unwrap_or_default());
        let name = self.name;
        let mut sql = format!("create table {{{name}}} ({}, primary key ({key})) strict, without rowid;\n", columns.join(", "));
        for index in self.indexes {
            sql += &format!("create index {{{name}}}_by_{} on {{{name}}} ({});\n", index.join("_"), index.join(", "));
        }
        sql
    }

    fn names(&self, columns: &[Column]) -> String {
        columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    fn key_columns(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }

    fn of_json(&self, columns: &[Column]) -> String {
        columns.iter().map(Column::of_json).collect::<Vec<_>>().join(", ")
    }
}

/// A row of a table, as serde sees it: a member for each column.
pub trait Row: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync {
    /// Its table.
    const TABLE: &'static Table;
    /// Its key: serialised, it is an object of the key's columns.
    type Key: Ord + Clone + Debug + Serialize + Send + Sync;

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
    pub async fn load(&mut self, db: &mut SqliteConnection, view: &View, generation: i64) -> Result<(), sqlx::Error> {
        let table = R::TABLE;
        let json: Vec<_> = table.columns.iter().map(Column::to_json).collect();
        let select = format!("select json_object({}) from {{{}}}", json.join(", "), table.name);
        let key = table.names(table.key_columns());
        let by_key = format!("{select} where ({key}) in (select {} from json_each($1))", table.of_json(table.key_columns()));
        let mut found = fetch(db, view, generation, &by_key, &self.keys).await?;
        if let Some(owner) = table.owner {
            let by_owner = format!("{select} where {owner} in (select unhex(value, '-') from json_each($1))");
            found.extend(fetch(db, view, generation, &by_owner, &self.owners).await?);
        }
        for json in found {
            let row: R = serde_json::from_str(&json).map_err(|e| sqlx::Error::Decode(e.into()))?;
            self.loaded.insert(row.key(), row);
        }
        self.now = self.loaded.clone();
        Ok(())
    }

    /// Writes what changed. Keys are sorted, so that two writers never wait for each other in a circle.
    ///
    /// # Errors
    /// The database's own.
    pub async fn store(&self, db: &mut SqliteConnection, view: &View, generation: i64) -> Result<(), sqlx::Error> {
        let table = R::TABLE;
        let gone: Vec<_> = self.loaded.keys().filter(|key| !self.now.contains_key(key)).collect();
        if !gone.is_empty() {
            let key = table.names(table.key_columns());
            let sql = format!(
                "delete from {{{}}} where ({key}) in (select {} from json_each($1))",
                table.name,
                table.of_json(table.key_columns())
            );
            execute(db, view, generation, &sql, &gone).await?;
        }
        let changed: Vec<_> = self.now.iter().filter(|(key, row)| self.loaded.get(key) != Some(row)).map(|(_, row)| row).collect();
        if !changed.is_empty() {
            let set: Vec<_> = table.columns[table.key..].iter().map(|c| format!("{0} = excluded.{0}", c.name)).collect();
            let then = if set.is_empty() { "nothing".into() } else { format!("update set {}", set.join(", ")) };
            execute(db, view, generation, &upsert(table, &then), &changed).await?;
        }
        Ok(())
    }
}

fn upsert(table: &Table, then: &str) -> String {
    format!(
        "insert into {{{}}} ({}) select {} from json_each($1) where true on conflict ({}) do {then}",
        table.name,
        table.names(table.columns),
        table.of_json(table.columns),
        table.names(table.key_columns())
    )
}

async fn fetch(
    db: &mut SqliteConnection,
    view: &View,
    generation: i64,
    sql: &str,
    keys: &BTreeSet<impl Serialize + Sync>,
) -> Result<Vec<String>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(vec![]);
    }
    let sql = AssertSqlSafe(read_store::generations::expand(sql, view, generation));
    sqlx::query_scalar(sql).bind(Json(keys)).fetch_all(db).await
}

async fn execute(
    db: &mut SqliteConnection,
    view: &View,
    generation: i64,
    sql: &str,
    rows: &[impl Serialize + Sync],
) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(read_store::generations::expand(sql, view, generation));
    sqlx::query(sql).bind(Json(rows)).execute(db).await.map(drop)
}

/// Counters by id: any partition may add to them, so nothing is loaded and what is written is what is to be added.
#[derive(Debug)]
pub struct Counters {
    table: &'static Table,
    added: BTreeMap<Uuid, Vec<i64>>,
}

impl Counters {
    /// None counted yet. The table's key is one id, its other columns are numbers.
    #[must_use]
    pub fn new(table: &'static Table) -> Self {
        Self { table, added: BTreeMap::new() }
    }

    /// Adds to each number of an id. A counter that was ever touched has a row, whatever it counts.
    pub fn add(&mut self, id: impl Into<Uuid>, amounts: &[i64]) {
        let sums = self.added.entry(id.into()).or_insert_with(|| vec![0; amounts.len()]);
        sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += amount);
    }

    /// Adds what was counted to what is stored.
    ///
    /// # Errors
    /// The database's own.
    pub async fn store(&self, db: &mut SqliteConnection, view: &View, generation: i64) -> Result<(), sqlx::Error> {
        if self.added.is_empty() {
            return Ok(());
        }
        let row = |(id, sums): (&Uuid, &Vec<i64>)| {
            let values = std::iter::once(Value::from(id.to_string())).chain(sums.iter().copied().map(Value::from));
            self.table.columns.iter().map(|column| column.name.to_owned()).zip(values).collect::<serde_json::Map<_, _>>()
        };
        let rows: Vec<_> = self.added.iter().map(row).collect();
        let name = format!("{{{}}}", self.table.name);
        let add: Vec<_> = self.table.columns[1..].iter().map(|c| format!("{0} = {name}.{0} + excluded.{0}", c.name)).collect();
        execute(db, view, generation, &upsert(self.table, &format!("update set {}", add.join(", "))), &rows).await
    }
}
