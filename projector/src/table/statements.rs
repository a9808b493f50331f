//! The statements on a table. Rows and keys travel as one JSON array, a statement's one parameter, so that a statement reads the same
//! however many they are.

use database::{Either, Transaction, on};
use read_store::{View, live::expand};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{AssertSqlSafe, types::Json};

use super::{Bulk, Column, Kind, Table, names};

/// One generation of a view's tables, within a fold's transaction.
pub struct Generation<'a> {
    /// The transaction.
    pub db: &'a mut Transaction,
    /// The view.
    pub view: &'static View,
    /// The generation's number.
    pub number: i64,
    /// Of one that is filled in bulk: what is known of its rows.
    pub bulk: Option<&'a mut Bulk>,
}

impl Column {
    /// On SQLite: the value of a row, as a member of a JSON object.
    fn member(&self) -> String {
        match self.kind {
            Kind::Id => format!("'{0}', lower(hex({0}))", self.name),
            Kind::Flag => format!("'{0}', json(iif({0}, 'true', 'false'))", self.name),
            Kind::Text | Kind::Number | Kind::Time => format!("'{0}', {0}", self.name),
        }
    }

    /// On SQLite: the value in such an object, for a row.
    fn value(&self) -> String {
        match self.kind {
            Kind::Id => format!("unhex(value->>'{}', '-')", self.name),
            Kind::Text | Kind::Number | Kind::Time | Kind::Flag => format!("value->>'{}'", self.name),
        }
    }
}

impl Table {
    /// Some columns of what is in the parameter.
    fn given(&self, columns: &[Column], db: &Transaction) -> String {
        match db {
            Either::Sqlite(_) => {
                let values: Vec<_> = columns.iter().map(Column::value).collect();
                format!("select {} from json_each($1) where true", values.join(", "))
            }
            Either::Postgres(_) => format!("select {} from jsonb_populate_recordset(null::{{{}}}, $1)", names(columns), self.name),
        }
    }

    /// The rows, as JSON, whose `columns` are in the parameter.
    fn select(&self, columns: &[Column], db: &Transaction) -> String {
        let (name, by, given) = (self.name, names(columns), self.given(columns, db));
        match db {
            Either::Sqlite(_) => {
                let members: Vec<_> = self.columns.iter().map(Column::member).collect();
                format!("select json_object({}) from {{{name}}} where ({by}) in ({given})", members.join(", "))
            }
            // One index scan for each: a join would be planned once, for the few rows that a new table has.
            Either::Postgres(_) => {
                let same: Vec<_> = columns.iter().map(|column| format!("{0} = given.{0}", column.name)).collect();
                format!(
                    "select to_json(found) from ({given}) given
                    cross join lateral (select {} from {{{name}}} where {} offset 0) found",
                    names(self.columns),
                    same.join(" and ")
                )
            }
        }
    }

    /// The rows whose `columns` are among `keys`, which are objects of them.
    pub async fn fetch<R>(&self, columns: &[Column], keys: &[impl Serialize + Sync], at: &mut Generation<'_>) -> Result<Vec<R>, sqlx::Error>
    where
        R: DeserializeOwned + Send + Unpin + 'static,
    {
        if keys.is_empty() {
            return Ok(vec![]);
        }
        let sql = at.expand(&self.select(columns, at.db));
        let rows: Vec<Json<R>> = on!(at.db, |db| sqlx::query_scalar(sql).bind(Json(keys)).fetch_all(&mut **db).await?);
        Ok(rows.into_iter().map(|Json(row)| row).collect())
    }

    /// Writes rows; what happens to one that is there already is up to `then`.
    pub async fn upsert(&self, then: &str, rows: &[impl Serialize + Sync], at: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let (all, given) = (names(self.columns), self.given(self.columns, at.db));
        let key = names(self.key_columns());
        let sql = at.expand(&format!("insert into {{{}}} ({all}) {given} on conflict ({key}) do {then}", self.name));
        on!(at.db, |db| sqlx::query(sql).bind(Json(rows)).execute(&mut **db).await.map(drop))
    }

    /// Removes rows.
    pub async fn delete(&self, keys: &[impl Serialize + Sync], at: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        if keys.is_empty() {
            return Ok(());
        }
        let (key, given) = (names(self.key_columns()), self.given(self.key_columns(), at.db));
        let sql = at.expand(&format!("delete from {{{}}} where ({key}) in ({given})", self.name));
        // Rare, and planned each time for the rows that there are then.
        on!(at.db, |db| sqlx::query(sql).persistent(false).bind(Json(keys)).execute(&mut **db).await.map(drop))
    }
}

impl Generation<'_> {
    pub(super) fn expand(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(expand(sql, self.view, self.number))
    }
}
