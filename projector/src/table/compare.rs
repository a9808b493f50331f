//! One table in two generations, compared by the database.

use std::collections::HashSet;

use database::{Either, Transaction, on};
use futures::TryStreamExt;
use read_store::{generations::table_of, jobs::Difference};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Column, Kind, Table};

/// How many keys of rows that differ are told.
const KEYS: usize = 10;

/// What came of a comparison.
#[derive(Debug)]
pub struct Compared {
    /// How many rows the new one has.
    pub rows: i64,
    /// How many differ and belong to somebody who is erased: one has folded what the other could not read any more.
    pub left_out: i64,
    /// How the others differ.
    pub difference: Option<Difference>,
}

/// A row that differs: whether the new one has it, whether the old one has it, its key, and its ids.
type Differing = (bool, bool, String, String);

impl Table {
    /// How the old generation differs from the new one.
    pub async fn compare(&self, db: &mut Transaction, generations: (i64, i64), erased: &HashSet<Uuid>) -> Result<Compared, sqlx::Error> {
        let new = table_of(self.name, generations.0);
        let count = AssertSqlSafe(format!("select count(*) from {new}"));
        let rows = on!(db, |db| sqlx::query_scalar(count).fetch_one(&mut **db).await?);
        let sql = AssertSqlSafe(self.differing(&new, &table_of(self.name, generations.1), db));
        let mut found = Difference { table: self.name.into(), added: 0, removed: 0, changed: 0, keys: vec![] };
        let mut left_out = 0;
        on!(db, |db| {
            let mut differing = sqlx::query_as::<_, Differing>(sql).fetch(&mut **db);
            while let Some((is_new, is_old, key, ids)) = differing.try_next().await? {
                if ids.split(',').filter_map(|id| Uuid::parse_str(id).ok()).any(|id| erased.contains(&id)) {
                    left_out += 1;
                    continue;
                }
                match (is_new, is_old) {
                    (true, false) => found.added += 1,
                    (false, _) => found.removed += 1,
                    (true, true) => found.changed += 1,
                }
                if found.keys.len() < KEYS {
                    found.keys.push(self.readable(&key));
                }
            }
        });
        let difference = (found.added + found.removed + found.changed > 0).then_some(found);
        Ok(Compared { rows, left_out, difference })
    }

    /// A key, as it is given to `explain`: ids with their dashes, which SQLite's have not.
    fn readable(&self, key: &str) -> String {
        let part = |(column, part): (&Column, &str)| match column.kind {
            Kind::Id => Uuid::parse_str(part).map_or_else(|_| part.to_owned(), |id| id.to_string()),
            Kind::Text | Kind::Number | Kind::Flag | Kind::Time => part.to_owned(),
        };
        self.key_columns().iter().zip(key.split(',')).map(part).collect::<Vec<_>>().join(",")
    }

    fn differing(&self, new: &str, old: &str, db: &Transaction) -> String {
        let (key, others) = self.columns.split_at(self.key);
        let same: Vec<_> = key.iter().map(|c| format!("n.{0} = o.{0}", c.name)).collect();
        let is = db.pick("is not", "is distinct from");
        let other: Vec<_> = others.iter().map(|c| format!(" or n.{0} {is} o.{0}", c.name)).collect();
        let text = |column: &Column| column.text(&format!("coalesce(n.{0}, o.{0})", column.name), db);
        let joined = |columns: &mut dyn Iterator<Item = &Column>| columns.map(text).collect::<Vec<_>>().join(" || ',' || ");
        let keys = joined(&mut key.iter());
        let ids = joined(&mut self.columns.iter().filter(|column| matches!(column.kind, Kind::Id)));
        let first = key[0].name;
        format!(
            "select n.{first} is not null, o.{first} is not null, {keys}, {ids} from {new} n full join {old} o on {}
             where n.{first} is null or o.{first} is null{}",
            same.join(" and "),
            other.concat()
        )
    }
}

impl Column {
    /// A value as people write it.
    fn text(&self, value: &str, db: &Transaction) -> String {
        match (db, self.kind) {
            (Either::Sqlite(_), Kind::Id) => format!("lower(hex({value}))"),
            (Either::Sqlite(_), _) => format!("cast({value} as text)"),
            (Either::Postgres(_), _) => format!("{value}::text"),
        }
    }
}
