//! The events behind a row: whoever does what they are said to have done has the row.

use std::collections::BTreeMap;

use database::Pool;
use events::likes::Reaction::{Dislike, Like};
use projector::explain::{Asked, Became, ColumnChange, RowChange};
use read_store::views;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio::runtime::Runtime;

use crate::{
    history::{
        Act::{Approve, ChangeProfile, Create, DeleteAccount, React, SignUp},
        History, pizza, place, user,
    },
    rows::Rows,
    setup::Place,
    splits::{fold_whole, holds},
};

const PERSONAL: [&str; 7] = ["username", "username_key", "email", "first_name", "last_name", "address", "phone"];

/// A row without what is personal: ids without hyphens, flags as numbers.
type Row = BTreeMap<String, Value>;

/// What becomes of a row, with the type of each event.
fn explained(history: &History, view: &str, key: &str, table: Option<&str>) -> Vec<(String, RowChange)> {
    let projection = projector::projections().into_iter().find(|projection| projection.view().name == view).unwrap();
    let asked = Asked { key: key.into(), table: table.map(Into::into) };
    let mut told = vec![];
    for events in history.partitions().into_values() {
        let mut probe = projection.probe(&asked).unwrap();
        for recorded in events {
            told.extend(probe.fold(&recorded).unwrap().into_iter().map(|change| (recorded.event_type.clone(), change)));
        }
    }
    told
}

/// Does what was told.
fn done(told: &[(String, RowChange)]) -> Option<Row> {
    let mut row: Option<Row> = None;
    for (_, RowChange { became, columns, .. }) in told {
        let counted = columns.iter().any(|column| column.by.is_some());
        assert!(counted || (*became == Became::Made) == row.is_none(), "{told:?}");
        for ColumnChange { column, personal, from, to, by } in columns {
            assert_eq!(*personal, PERSONAL.contains(&column.as_str()));
            assert!(!personal || (from.is_null() && to.is_null() && by.is_none()), "{told:?}");
            let values = row.get_or_insert_default();
            match by {
                Some(by) => {
                    *values.entry(column.clone()).or_insert(json!(0)) = json!(values.get(column).and_then(Value::as_i64).unwrap_or(0) + by)
                }
                None if to.is_null() => drop(values.remove(column)),
                None => drop(values.insert(column.clone(), plain(to))),
            }
        }
        if *became == Became::Removed {
            row = None;
        }
    }
    row
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => i64::from(*flag).into(),
        Value::String(text) if text.parse::<uuid::Uuid>().is_ok() => text.replace('-', "").into(),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => value.clone(),
    }
}

/// The rows of a table, and the keys that they have.
async fn stored(rows: &Rows, table: &str, key: usize) -> BTreeMap<String, Row> {
    let Pool::Sqlite(db) = &rows.store.database.reader else { unreachable!("it is in a file") };
    let columns = "select name, lower(type) from pragma_table_info($1)";
    let columns: Vec<(String, String)> = sqlx::query_as(columns).bind(format!("{table}_g1")).fetch_all(db).await.unwrap();
    let value = |(name, kind): &(String, String)| {
        format!("'{name}', {}", if kind == "blob" { format!("lower(hex({name}))") } else { name.clone() })
    };
    let sql = format!("select json_object({}) from {table}_g1", columns.iter().map(value).collect::<Vec<_>>().join(", "));
    let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(db).await.unwrap();
    let of_row = |text: String| {
        let mut row: Row = serde_json::from_str(&text).unwrap();
        let key: Vec<_> = columns[..key].iter().map(|(name, _)| row[name].as_str().unwrap().to_owned()).collect();
        row.retain(|name, value| !value.is_null() && !PERSONAL.contains(&name.as_str()));
        (key.join(","), row)
    };
    found.into_iter().map(of_row).collect()
}

#[test]
fn whoever_does_what_the_events_behind_a_row_are_said_to_have_done_has_the_row() {
    let tables = [("users", "users", 1), ("users", "superusers", 1), ("pizzerias", "pizzerias", 1), ("pizzas", "pizzas", 1)];
    let of_likes = [("reactions", 2), ("place_likes", 2), ("pizza_counters", 1), ("place_counters", 1)];
    let tables: Vec<_> = tables.into_iter().chain(of_likes.map(|(table, key)| ("reactions", table, key))).collect();
    assert_eq!(tables.len(), views::ALL.iter().map(|view| view.tables.len()).sum::<usize>());
    let runtime = Runtime::new().unwrap();
    let rows = runtime.block_on(Rows::new(Place::sqlite()));
    holds(48, &runtime, async |history, _| {
        fold_whole(&rows, &history).await;
        for (view, table, key) in &tables {
            for (key, row) in stored(&rows, table, *key).await {
                assert_eq!(done(&explained(&history, view, &key, Some(table))), Some(row), "{table} {key}");
            }
        }
    });
}

#[test]
fn of_a_row_that_is_gone_it_is_told_how_it_came_and_went() {
    let history = History::of(&[React(1, 0, Some(Like)), Approve(0), React(1, 0, Some(Dislike)), DeleteAccount(1)]);
    let key = format!("{}, {}", user(1).0, pizza(0).0);
    let told = explained(&history, "reactions", &key, None);
    let events: Vec<_> = told.iter().map(|(event, change)| (event.as_str(), change.table.as_str(), change.became)).collect();
    let expected = [("PizzaLiked", Became::Made), ("PizzaDisliked", Became::Changed), ("UserDeleted", Became::Removed)];
    assert_eq!(events, expected.map(|(event, became)| (event, "reactions", became)));
    let reaction = told[1].1.columns.iter().find(|column| column.column == "reaction").unwrap();
    assert_eq!((&reaction.from, &reaction.to), (&json!("like"), &json!("dislike")));
    assert_eq!(done(&told), None);
}

#[test]
fn a_counter_is_told_by_what_each_event_adds_from_whatever_partition() {
    let reactions = [0, 1, 2].map(|user| React(user, 0, Some(Like)));
    let history = History::of(&[&reactions[..], &[React(1, 0, None)]].concat());
    let told = explained(&history, "reactions", &place(0).0.to_string(), Some("place_counters"));
    let mut by: Vec<_> = told.iter().filter_map(|(_, change)| change.columns.iter().find(|column| column.column == "likes")?.by).collect();
    by.sort_unstable();
    assert_eq!(by, [-1, 1, 1, 1]);
}

#[test]
fn of_what_is_personal_only_that_it_has_changed_is_told() {
    let history = History::of(&[SignUp(1), ChangeProfile(1, 2)]);
    let told = explained(&history, "users", &user(1).0.to_string(), None);
    assert!(
        told.iter().any(|(event, change)| event == "ProfileChanged" && change.columns.iter().any(|column| column.personal)),
        "{told:?}"
    );
    let text = serde_json::to_string(&told.iter().map(|(_, change)| change).collect::<Vec<_>>()).unwrap();
    assert!(!text.contains("Name 1") && !text.contains("name 1") && !text.contains("New 2") && !text.contains("e 1"), "{text}");
}

#[test]
fn a_key_that_no_event_has_touched_has_no_history_and_what_is_no_key_is_told_apart() {
    let history = History::of(&[Create(0)]);
    assert_eq!(explained(&history, "pizzas", "00000000-0000-4000-8000-000000000000", None), []);
    let pizzas = projector::projections().into_iter().find(|projection| projection.view().name == "pizzas").unwrap();
    let asked = |key: &str, table: Option<&str>| pizzas.probe(&Asked { key: key.into(), table: table.map(Into::into) }).is_some();
    let id = pizza(0).0.to_string();
    assert!(asked(&id, None) && asked(&id, Some("pizzas")));
    assert!(!asked("margherita", None) && !asked(&format!("{id},{id}"), None) && !asked(&id, Some("users")) && !asked("", None));
}
