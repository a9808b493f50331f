//! A read store that is folded into without a worker.

use std::collections::BTreeMap;

use database::{Pool, on};
use event_log::Recorded;
use projector::{
    parking::{self, Broken},
    ports::Rows as _,
};
use read_store::{ReadStore, View, checkpoints::Found, live::expand, views};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::setup::{Generations, Place};

pub struct Rows {
    _place: Place,
    pub store: ReadStore,
    generations: Generations,
}

impl Rows {
    pub async fn new(place: Place) -> Self {
        let (store, generations) = place.read_store().await;
        Self { _place: place, store, generations }
    }

    pub async fn fold(&self, batch: &[Recorded]) {
        let mut tx = self.store.database.begin().await.unwrap();
        for one in &self.generations {
            let (partition, found) = (batch[0].partition, Found::default());
            assert!(parking::fold(&mut tx, one, partition, batch, found, &Broken::new()).await.unwrap().is_empty());
        }
        tx.commit().await.unwrap();
    }

    /// Folds as a worker does, and parks what cannot be folded.
    pub async fn write(&self, batch: &[Recorded]) {
        let (first, last) = (&batch[0], &batch[batch.len() - 1]);
        let written = self.store.write(&self.generations, first.partition, first.position - 1, last.position, batch);
        assert!(written.await.unwrap());
    }

    pub async fn clear(&self) {
        clear(&self.store).await;
    }

    pub async fn dump(&self) -> Dump {
        dump(&self.store).await
    }
}

/// Rows of each table.
pub type Dump = BTreeMap<&'static str, Vec<Value>>;

/// As if nothing had been folded yet.
pub async fn clear(store: &ReadStore) {
    let tables: String = tables().into_values().map(|name| format!("delete from {name};")).collect();
    let sql = AssertSqlSafe(tables + "delete from parked_events; update checkpoints set position = 0, parked = 0");
    on!(&store.database.writer, |db| sqlx::raw_sql(sql).execute(db).await.map(drop)).unwrap();
}

/// Every column of every row of every table of the first generations.
pub async fn dump(store: &ReadStore) -> Dump {
    let mut dump = Dump::new();
    for view in views::ALL {
        dump.append(&mut dump_of(store, view, 1).await);
    }
    dump
}

/// The same of one generation of a view, alike from either database: ids in hexadecimal digits, flags as numbers.
pub async fn dump_of(store: &ReadStore, view: &View, generation: i64) -> Dump {
    let mut dump = Dump::new();
    for table in view.tables {
        let name = expand(&format!("{{{table}}}"), view, generation);
        let values = values(store, &name).await.join(", ");
        let make = store.database.reader.pick("json_array", "json_build_array");
        let sql = AssertSqlSafe(format!("select cast({make}({values}) as text) from {name}"));
        let rows: Vec<String> = on!(&store.database.reader, |db| sqlx::query_scalar(sql).fetch_all(db).await.unwrap());
        let mut rows: Vec<Value> = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        rows.sort_by_key(Value::to_string);
        dump.insert(table, rows);
    }
    dump
}

/// A table's columns, as they are compared.
async fn values(store: &ReadStore, table: &str) -> Vec<String> {
    let columns: Vec<(String, String)> = match &store.database.reader {
        Pool::Sqlite(db) => {
            let sql = "select name, lower(type) from pragma_table_info($1)";
            sqlx::query_as(sql).bind(table).fetch_all(db).await.unwrap()
        }
        Pool::Postgres(db) => {
            let sql = "select column_name::text, data_type::text from information_schema.columns
                where table_schema = current_schema and table_name = $1 order by ordinal_position";
            sqlx::query_as(sql).bind(table).fetch_all(db).await.unwrap()
        }
    };
    let value = |(name, kind): (String, String)| match kind.as_str() {
        "blob" => format!("lower(hex({name}))"),
        "uuid" => format!("replace({name}::text, '-', '')"),
        "boolean" => format!("{name}::integer"),
        "timestamp with time zone" => format!("to_char({name} at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
        "text" | "integer" | "bigint" => name,
        other => panic!("{name} is {other}"),
    };
    columns.into_iter().map(value).collect()
}

/// The tables of all views, with their names in the first generation.
fn tables() -> BTreeMap<&'static str, String> {
    let tables = views::ALL.iter().flat_map(|view| view.tables.iter().map(move |table| (*table, *view)));
    tables.map(|(table, view)| (table, expand(&format!("{{{table}}}"), view, 1))).collect()
}
