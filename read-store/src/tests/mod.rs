//! On both databases.

mod operators;

use std::time::Duration;

use database::{StoreUrl, on};
use event_log::LogStore;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    Definition, Partition, ReadError, ReadStore, View,
    checkpoints::{Found, advance},
    parked::{self, ParkedEvent, Streams},
    views,
};

/// Where a store is; gone when it is dropped.
struct Place {
    url: StoreUrl,
    _folder: Option<TempDir>,
}

impl Place {
    fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Some(Self { url: StoreUrl::file(folder.path().join("read.db")), _folder: Some(folder) })
    }

    /// `None`: there is no Postgres here, which was told loudly.
    fn postgres() -> Option<Self> {
        Some(Self { url: test_servers::shared_database().ok()?.parse().unwrap(), _folder: None })
    }

    async fn open(&self) -> ReadStore {
        ReadStore::open(&self.url, Duration::from_secs(30)).await.unwrap()
    }

    /// With a table of each view.
    async fn store(&self) -> ReadStore {
        let store = self.open().await;
        for view in views::ALL {
            assert_eq!(store.ensure(view, &tables(view)).await.unwrap(), 1);
        }
        store
    }
}

/// A test on each database, for functions that take a [`Place`].
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Place::sqlite().unwrap()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(place) = super::Place::postgres() {
                    super::$name(place).await;
                }
            })+
        }
    };
}

use on_both;

fn tables(view: &View) -> Vec<Definition> {
    let table = |name: &&str| Definition {
        sqlite: format!("create table {{{name}}} (id blob primary key not null) strict"),
        postgres: format!("create table {{{name}}} (id uuid primary key)"),
        indexes: vec![],
    };
    view.tables.iter().map(table).collect()
}

async fn statements_are_for_the_live_generation_and_a_view_is_built_once(place: Place) {
    let store = place.store().await;
    assert_eq!(store.ensure(&views::PIZZAS, &[]).await.unwrap(), 1);
    let live = store.live().await.unwrap();
    let sql = live.sql("select count(*) from {pizzas} join {users} on {pizzas}.id = {users}.id");
    assert_eq!(&*sql.0, "select count(*) from pizzas_g1 join users_g1 on pizzas_g1.id = users_g1.id");
    let count: i64 = on!(&store.database.reader, |db| sqlx::query_scalar(sql).fetch_one(db).await.unwrap());
    assert_eq!(count, 0);
}

async fn another_version_gets_a_generation_of_its_own(place: Place) {
    let store = place.store().await;
    let newer = View { version: views::PIZZAS.version + 1, ..views::PIZZAS };
    assert_eq!(store.ensure(&newer, &tables(&newer)).await.unwrap(), 2);
    assert_eq!(store.ensure(&views::PIZZAS, &[]).await.unwrap(), 1);
    assert_eq!(store.live().await.unwrap().generation(&views::PIZZAS), Some(1));
    assert_eq!(store.checkpoints().await.unwrap()[&("pizzas".into(), 2)], [0; 16]);
}

async fn of_two_processes_that_start_at_once_one_makes_the_tables(place: Place) {
    let first = place.open().await;
    let second = place.open().await;
    for view in views::ALL {
        let tables = tables(view);
        let made = tokio::join!(first.ensure(view, &tables), second.ensure(view, &tables), first.ensure(view, &tables));
        assert_eq!((made.0.unwrap(), made.1.unwrap(), made.2.unwrap()), (1, 1, 1));
    }
}

async fn of_two_workers_one_moves_the_checkpoints_and_the_other_none(place: Place) {
    let store = place.store().await;
    let generations = [("users", 1), ("pizzas", 1)];
    let partition = Partition::new(3).unwrap();
    let mut tx = store.database.begin().await.unwrap();
    assert_eq!(advance(&mut tx, &generations, partition, 0, 7).await.unwrap(), Some(vec![Found::default(); 2]));
    assert_eq!(advance(&mut tx, &generations, partition, 0, 9).await.unwrap(), None);
    assert_eq!(advance(&mut tx, &[("users", 1), ("likes", 1)], partition, 7, 9).await.unwrap(), None);
    drop(tx);
    let (one, other) = tokio::join!(fold(&store, &generations, partition, 7), fold(&store, &generations, partition, 8));
    assert!(one ^ other);
    let reached = if one { 7 } else { 8 };
    assert_eq!(store.checkpoints().await.unwrap()[&("users".into(), 1)][3], reached);
}

/// A fold without rows, from the start; whether it was the faster one.
async fn fold(store: &ReadStore, generations: &[(&'static str, i64)], partition: Partition, to: i64) -> bool {
    let mut tx = store.database.begin().await.unwrap();
    let moved = advance(&mut tx, generations, partition, 0, to).await.unwrap().is_some();
    if moved {
        tx.commit().await.unwrap();
    }
    moved
}

async fn what_is_parked_is_counted_where_the_checkpoint_is(place: Place) {
    let store = place.store().await;
    let partition = Partition::new(3).unwrap();
    let at = parked::Place { projection: "users", generation: 1, partition };
    let event = |position: i64, reason: Option<&str>| ParkedEvent {
        position,
        stream_id: Uuid::from_u128(7),
        subject_id: (position > 2).then_some(Uuid::from_u128(8)),
        event_type: "UserSignedUp".into(),
        reason: reason.map(Into::into),
    };
    let events = [event(2, Some("it's \"broken\"")), event(3, None), event(5, None)];
    let mut tx = store.database.begin().await.unwrap();
    parked::park(&mut tx, at, &events).await.unwrap();
    parked::skip(&mut tx, ("users", 1), (partition, 4), "no", "ada").await.unwrap();
    parked::skip(&mut tx, ("users", 1), (partition, 4), "no", "eve").await.unwrap();
    let found = advance(&mut tx, &[("pizzas", 1), ("users", 1)], partition, 0, 4).await.unwrap();
    assert_eq!(found, Some(vec![Found::default(), Found { parked: 3, skips: true }]));
    let found = advance(&mut tx, &[("users", 1)], partition, 4, 9).await.unwrap();
    assert_eq!(found, Some(vec![Found { parked: 3, skips: false }]));
    assert_eq!(parked::of_stream(&mut tx, at, Uuid::from_u128(7)).await.unwrap(), events);
    let both = Streams::from([(Uuid::from_u128(7), None), (Uuid::from_u128(7), Some(Uuid::from_u128(8)))]);
    assert_eq!(parked::all_held(&mut tx, at).await.unwrap(), both);
    assert_eq!(parked::held(&mut tx, at, &[Uuid::from_u128(7)], &[]).await.unwrap(), both);
    assert_eq!(parked::held(&mut tx, at, &[], &[Uuid::from_u128(8)]).await.unwrap().len(), 1);
    assert_eq!(parked::held(&mut tx, at, &[Uuid::from_u128(8)], &[Uuid::from_u128(7)]).await.unwrap(), Streams::new());
    parked::discard(&mut tx, at, Some(Uuid::from_u128(8)), Uuid::from_u128(9), 5).await.unwrap();
    parked::blame(&mut tx, at, 5, "why").await.unwrap();
    tx.commit().await.unwrap();
    let (left, total) = store.parked(Some("users"), 1).await.unwrap();
    assert_eq!((left.len(), left[0].event.position, total), (1, 2, 2));
    assert_eq!(store.parked_at(at, 5).await.unwrap().unwrap().event.reason.as_deref(), Some("why"));
    let counts = store.parked_counts().await.unwrap();
    assert_eq!(counts.into_iter().filter(|(_, parked)| *parked > 0).collect::<Vec<_>>(), [("users".to_owned(), 2)]);
}

/// Another event may be at that position then.
async fn what_was_skipped_of_a_log_that_is_restored_since_is_not_skipped(place: Place) {
    let store = place.store().await;
    let folder = tempfile::tempdir().unwrap();
    let log = LogStore::open(&StoreUrl::file(folder.path().join("log.db")), Duration::from_secs(30)).await.unwrap();
    let epochs = log.new_epoch().await.unwrap();
    let partition = Partition::new(3).unwrap();
    let mut tx = store.database.begin().await.unwrap();
    parked::skip(&mut tx, ("users", 1), (partition, 4), "no", "ada").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.skipped("users", 1, partition).await.unwrap().len(), 1);
    store.follow_epochs(&epochs).await.unwrap();
    assert_eq!(store.skipped("users", 1, partition).await.unwrap().len(), 0);
}

async fn a_waiter_is_told_by_this_process_and_finds_out_about_others(place: Place) {
    let store = place.store().await;
    let live = store.live().await.unwrap();
    let both = [&views::USERS, &views::PIZZAS];
    let wait = |place| store.wait(&live, &both, place, Duration::from_secs(10));
    let (waited, ()) = tokio::join!(wait(&[(3, 7)]), async {
        store.folded(&[("users", 1)], Partition::new(3).unwrap(), 7);
        store.folded(&[("pizzas", 1)], Partition::new(3).unwrap(), 8);
    });
    waited.unwrap();

    assert!(fold(&store, &[("users", 1), ("pizzas", 1)], Partition::new(4).unwrap(), 5).await);
    tokio::select! {
        waited = wait(&[(4, 5)]) => waited.unwrap(),
        () = store.follow() => unreachable!(),
    }
}

async fn rows_that_stay_behind_are_told_with_their_lag(place: Place) {
    let store = place.store().await;
    let live = store.live().await.unwrap();
    let behind = store.wait(&live, &[&views::USERS], &[(0, 0), (5, 3)], Duration::ZERO).await;
    assert!(matches!(behind, Err(ReadError::Behind { partition: 5, lag: 3 })), "{behind:?}");
}

on_both! {
    statements_are_for_the_live_generation_and_a_view_is_built_once,
    another_version_gets_a_generation_of_its_own,
    of_two_processes_that_start_at_once_one_makes_the_tables,
    of_two_workers_one_moves_the_checkpoints_and_the_other_none,
    what_is_parked_is_counted_where_the_checkpoint_is,
    what_was_skipped_of_a_log_that_is_restored_since_is_not_skipped,
    a_waiter_is_told_by_this_process_and_finds_out_about_others,
    rows_that_stay_behind_are_told_with_their_lag,
}
