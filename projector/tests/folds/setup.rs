//! Where tests have their stores, and what they do there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use database::{StoreUrl, on};
use event_log::{Append, EventLog, KeyStore, Keys, LogStore, Outcome, Partition, Position};
use projector::{Prepared, Projection, Step, Worker};
use read_store::ReadStore;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::{
    history::{Act, Happened, History},
    model::Model,
    tally::{Tally, tally},
};

const PATIENCE: Duration = Duration::from_secs(30);

pub type Generations = Vec<Prepared>;

/// What nobody can read.
pub const BROKEN: &str = r#"{"user_id":"Ada's secret"}"#;

/// A folder, and a read store in it or on a server.
pub struct Place {
    folder: TempDir,
    read: StoreUrl,
}

impl Place {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let read = StoreUrl::file(folder.path().join("read.db"));
        Self { folder, read }
    }

    /// A new database, where there is a Postgres.
    pub fn postgres() -> Option<Self> {
        test_servers::shared_database().ok().map(|url| Self::at(&url))
    }

    /// That database.
    pub fn at(url: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), read: url.parse().unwrap() }
    }

    async fn log(&self) -> EventLog {
        let file = |name: &str| StoreUrl::file(self.folder.path().join(name));
        let keys = KeyStore::open(&file("keys.db"), PATIENCE).await.unwrap();
        let store = LogStore::open(&file("log.db"), PATIENCE).await.unwrap();
        EventLog::start(store, Keys::new(keys, &[[7; 32]])).await.unwrap()
    }

    pub async fn read_store(&self) -> (ReadStore, Generations) {
        let store = ReadStore::open(&self.read, PATIENCE).await.unwrap();
        let generations = projector::prepare(&event_log::Epochs::default(), &store).await.unwrap();
        (store, generations)
    }
}

/// A test with the read store on each database, for functions that take a [`Tizza`].
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::setup::Tizza::at($crate::setup::Place::sqlite()).await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(place) = $crate::setup::Place::postgres() {
                    super::$name($crate::setup::Tizza::at(place).await).await;
                }
            })+
        }
    };
}
pub(crate) use on_both;

/// A log and a read store, and what happened.
pub struct Tizza {
    place: Place,
    pub log: EventLog,
    pub store: ReadStore,
    generations: Generations,
    pub history: History,
    /// What was written so that nobody can read it, as it should be.
    broken: Vec<Happened>,
}

impl Tizza {
    pub async fn at(place: Place) -> Self {
        Self::open(place, History::default(), vec![]).await
    }

    async fn open(place: Place, history: History, broken: Vec<Happened>) -> Self {
        let log = place.log().await;
        let (store, generations) = place.read_store().await;
        let mut tizza = Self { place, log, store, generations, history, broken };
        tizza.add(Arc::new(Tally)).await;
        tizza
    }

    /// One more projection.
    pub async fn add(&mut self, projection: Arc<dyn Projection>) {
        let generation = self.store.ensure(projection.view(), &projection.tables()).await.unwrap();
        self.generations.push(Prepared::new(projection, generation));
    }

    /// Another fold for the tables of one.
    pub fn replace(&mut self, projection: Arc<dyn Projection>) {
        let one = self.generations.iter_mut().find(|one| one.projection.view() == projection.view()).unwrap();
        one.projection = projection;
    }

    /// A second generation of a view, folded besides the first.
    pub async fn another_generation(&mut self, name: &str) -> i64 {
        let projection = self.generations.iter().find(|one| one.key().0 == name).unwrap().projection.clone();
        self.sql(&format!("delete from live_generations where projection = '{name}'")).await;
        let generation = self.store.ensure(projection.view(), &projection.tables()).await.unwrap();
        self.sql(&format!("update live_generations set generation = 1 where projection = '{name}'")).await;
        self.generations.push(Prepared::new(projection, generation));
        generation
    }

    /// As if nothing had been folded yet.
    pub async fn clear(&self) {
        crate::rows::clear(&self.store).await;
        self.sql("update tally_g1 set events = 0").await;
    }

    /// Does something with the read store behind everybody's back.
    pub async fn sql(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        on!(&self.store.database.writer, |db| sqlx::raw_sql(sql).execute(db).await.map(drop).unwrap());
    }

    pub async fn restarted(self) -> Self {
        self.log.close().await;
        self.store.close().await;
        Self::open(self.place, self.history, self.broken).await
    }

    /// Does these and what they presume.
    pub async fn happens(&mut self, acts: &[Act]) {
        let known = self.history.events.len();
        for act in acts {
            assert!(self.history.act(*act), "{act:?} is not possible");
        }
        for happened in &self.history.events[known..] {
            self.append(happened).await;
        }
    }

    /// Does this and what it presumes, and nobody can read the last event.
    pub async fn goes_wrong(&mut self, act: Act) -> Position {
        let known = self.history.events.len();
        assert!(self.history.act(act), "{act:?} is not possible");
        let (last, before) = self.history.events[known..].split_last().unwrap();
        for happened in before {
            self.append(happened).await;
        }
        let mut broken = last.clone();
        broken.event.payload = BROKEN.into();
        self.broken.push(last.clone());
        self.append(&broken).await
    }

    /// Makes what nobody could read what it should have been.
    pub async fn mend(&mut self) {
        let mut log =
            SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(self.place.folder.path().join("log.db"))).await.unwrap();
        for mended in self.broken.drain(..) {
            let sql = "update events set payload = $1 where stream_id = $2 and version = $3";
            let query = sqlx::query(sql).bind(mended.event.payload).bind(mended.stream_id).bind(mended.version);
            assert_eq!(query.execute(&mut log).await.unwrap().rows_affected(), 1);
        }
        log.close().await.unwrap();
    }

    pub async fn append(&self, happened: &Happened) -> Position {
        let append = Append {
            stream_id: happened.stream_id,
            kind: happened.kind,
            partition: happened.partition(),
            expected: happened.version - 1,
            events: vec![happened.event.clone()],
            metadata: happened.metadata(),
            reads: vec![],
            claims: vec![],
            links: vec![],
            key: None,
            after: None,
        };
        let outcome = self.log.append(append).await.unwrap();
        let Outcome::Appended { position, .. } = outcome else { panic!("{outcome:?}") };
        position
    }

    pub fn worker(&self, partition: Partition) -> Worker {
        Worker::new(projector::Source::Log(self.log.clone()), self.store.clone(), partition, &self.generations)
    }

    /// What folds.
    pub fn projections(&self) -> Vec<Arc<dyn Projection>> {
        self.generations.iter().map(|one| one.projection.clone()).collect()
    }

    /// Has every partition folded by a worker of its own.
    pub async fn fold_all(&self) {
        for partition in Partition::all() {
            assert_eq!(drain(&mut self.worker(partition)).await, Step::Idle);
        }
    }

    /// Everything that happened is in the rows, once.
    pub async fn assert_folded(&self) {
        assert_eq!(Model::read(&self.store).await, Model::of(&self.history));
        assert_eq!(tally(&self.store).await, self.history.events.len());
    }

    /// How far the log and each view have come in a partition.
    pub async fn positions(&self, partition: Partition) -> (Position, BTreeMap<String, Position>) {
        let checkpoints = self.store.checkpoints().await.unwrap();
        let views = checkpoints.into_iter().map(|((view, _), positions)| (view, positions[partition.index()]));
        (self.log.head(partition).await.unwrap(), views.collect())
    }

    /// The views that have not folded all of a partition.
    pub async fn behind(&self, partition: Partition) -> Vec<String> {
        let (head, views) = self.positions(partition).await;
        assert_eq!(views.len(), self.generations.len());
        views.into_iter().filter(|(_, position)| *position != head).map(|(view, _)| view).collect()
    }
}

/// Steps while something is folded; the answer is the last step.
pub async fn drain(worker: &mut Worker) -> Step {
    for _ in 0..100 {
        let step = worker.step().await;
        if step != Step::Folded {
            return step;
        }
    }
    panic!("a few events are folded in a few steps");
}
