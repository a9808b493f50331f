//! The two databases against the pure model: random batches mean the same everywhere, and leave the same rows.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `wishes` | batches by chance |
//! | `world` | what ought to become of them |
//! | `rows` | what is in the tables |
//! | `forgetting` | keys that have expired |

mod forgetting;
mod rows;
mod wishes;
mod world;

use std::cell::Cell;

use database::Pool;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tempfile::TempDir;

use self::{rows::Rows, wishes::Idea, world::World};
use super::*;

/// Whoever writes batches.
enum Way {
    Sqlite,
    /// In one call where the facts are as assumed.
    Postgres(Box<postgres::Writer>),
    /// Always under locks.
    Decided,
}

struct Log {
    way: Way,
    database: Database,
    _folder: TempDir,
}

impl Log {
    async fn open(url: &StoreUrl, folder: TempDir, way: impl FnOnce(&Database) -> Way) -> Self {
        let database = LogStore::open(url, Duration::from_secs(20)).await.expect("it opens").database;
        Self { way: way(&database), database, _folder: folder }
    }

    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let url = StoreUrl::file(folder.path().join("log.db"));
        Self::open(&url, folder, |_| Way::Sqlite).await
    }

    async fn postgres(way: impl FnOnce(&Database) -> Way) -> Option<Self> {
        let url = test_servers::shared_database().ok()?.parse().expect("it is a URL");
        Some(Self::open(&url, tempfile::tempdir().expect("there is room"), way).await)
    }

    async fn append(&mut self, batch: &[Append]) -> Written {
        match &mut self.way {
            Way::Sqlite => sqlite::append(&self.database, batch).await,
            Way::Postgres(writer) => writer.append(batch).await,
            Way::Decided => postgres::decide(&self.database, batch).await,
        }
        .expect("the database takes it")
    }

    async fn clear(&self) {
        let mut tx = self.database.begin().await.expect("it begins");
        for sql in [
            "delete from events",
            "delete from streams",
            "delete from claims",
            "delete from links",
            "delete from command_keys",
            "update heads set position = 0",
        ] {
            on!(&mut tx, |db| sqlx::query(sql).execute(&mut **db).await.map(drop)).expect(sql);
        }
        tx.commit().await.expect("it commits");
    }
}

fn writer(database: &Database) -> Way {
    let Pool::Postgres(pool) = &database.writer else { unreachable!("it was opened by a Postgres URL") };
    Way::Postgres(Box::new(postgres::Writer::new(database.clone(), pool)))
}

/// The wishes with what becomes of them one by one, and the rows that they leave.
fn expected(ideas: &[Idea]) -> (Vec<Append>, Vec<Outcome>, Rows) {
    let (mut world, mut wishes, mut outcomes) = (World::default(), vec![], vec![]);
    for idea in ideas {
        let wish = idea.wish(&world, &wishes);
        outcomes.push(world.append(&wish));
        wishes.push(wish);
    }
    (wishes, outcomes, world.rows())
}

/// Batches of these sizes, again and again.
fn batches<'a>(mut wishes: &'a [Append], sizes: &[usize]) -> Vec<&'a [Append]> {
    let mut batches = vec![];
    for size in sizes.iter().cycle() {
        if wishes.is_empty() {
            break;
        }
        let (batch, rest) = wishes.split_at((*size).min(wishes.len()));
        batches.push(batch);
        wishes = rest;
    }
    batches
}

/// How often several wishes were written in one call, and how often they had to be decided under locks.
#[derive(Default)]
struct Seen {
    in_one_call: Cell<u32>,
    decided: Cell<u32>,
}

impl Seen {
    fn batch(&self, way: &Way, batch: &[Append], written: &Written) {
        if let (Way::Postgres(_), [_, _, ..]) = (way, batch) {
            let seen = if postgres::assumed::judged(batch).is_some() && written.events.len() == events(batch) {
                &self.in_one_call
            } else {
                &self.decided
            };
            seen.set(seen.get() + 1);
        }
    }
}

fn events(batch: &[Append]) -> usize {
    batch.iter().map(|wish| wish.events.len()).sum()
}

async fn agrees(log: &mut Log, ideas: &[Idea], sizes: &[usize], seen: &Seen) -> Result<(), TestCaseError> {
    log.clear().await;
    let (wishes, outcomes, rows) = expected(ideas);
    let (mut found, mut told) = (vec![], vec![]);
    let mut heads = Heads::default();
    for batch in batches(&wishes, sizes) {
        let written = log.append(batch).await;
        seen.batch(&log.way, batch, &written);
        found.extend(written.outcomes);
        told.extend(written.events);
        written.heads.iter().for_each(|(partition, position)| heads[partition.index()] = *position);
    }
    prop_assert_eq!(found, outcomes);
    Rows::of(&log.database).await.are(&rows)?;
    told.sort_by_key(|event| (event.partition, event.position));
    prop_assert_eq!(&told, &stored(&log.database).await, "what the writer tells is what is stored, times included");
    prop_assert!(told.is_sorted_by_key(|event| (event.partition, event.recorded_at)), "times never decrease");
    prop_assert_eq!(heads, super::heads(&log.database).await.expect("they are there"));
    Ok(())
}

async fn stored(database: &Database) -> Vec<Recorded> {
    let mut events = vec![];
    for partition in Partition::all() {
        events.extend(
            read(database.reader.acquire().await.expect("there is one").connection(), partition, 0, 10_000).await.expect("they are there"),
        );
    }
    events
}

#[test]
fn random_batches_mean_the_same_on_both_databases_as_one_by_one() {
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    let mut logs = vec![runtime.block_on(Log::sqlite())];
    logs.extend(runtime.block_on(Log::postgres(writer)));
    logs.extend(runtime.block_on(Log::postgres(|_| Way::Decided)));
    let logs = tokio::sync::Mutex::new(logs);
    let seen = Seen::default();

    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let agreed = runner.run(&(wishes::ideas(), vec(1..9usize, 1..9)), |(ideas, sizes)| {
        runtime.block_on(async {
            for log in logs.lock().await.iter_mut() {
                agrees(log, &ideas, &sizes, &seen).await?;
            }
            Ok(())
        })
    });
    agreed.unwrap_or_else(|error| panic!("{error}"));
    let (in_one_call, decided) = (seen.in_one_call.get(), seen.decided.get());
    assert!(in_one_call > 30 && decided > 100, "both paths were taken: {in_one_call} and {decided}");
}
