//! Stores in a temporary folder.

use std::{collections::BTreeMap, sync::Arc};

use database::StoreUrl;
use event_log::{Append, EventLog, Outcome, Partition, Position, Recorded};
use projector::{Projection, Step, Worker};
use read_store::{ReadStore, generations::expand, views};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use crate::{
    history::{Act, Happened, History},
    model::Model,
    tally::{Tally, tally},
};

pub type Generations = Vec<(Arc<dyn Projection>, i64)>;

/// A read store that is folded into without a worker.
pub struct Rows {
    _folder: TempDir,
    pub store: ReadStore,
    generations: Generations,
}

impl Rows {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, generations) = read_store(&folder).await;
        Self { _folder: folder, store, generations }
    }

    pub async fn fold(&self, batch: &[Recorded]) {
        let mut tx = self.store.database.begin().await.unwrap();
        for (projection, generation) in &self.generations {
            projection.fold(&mut tx, *generation, batch).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Every column of every row of every table.
    pub async fn dump(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut dump = BTreeMap::new();
        for view in views::ALL {
            for table in view.tables {
                let name = expand(&format!("{{{table}}}"), view, 1);
                let columns = "select group_concat('quote(' || name || ')', ' || '', '' || ') from pragma_table_info($1)";
                let columns: String = sqlx::query_scalar(columns).bind(&name).fetch_one(&self.store.database.reader).await.unwrap();
                let rows = AssertSqlSafe(format!("select {columns} from {name} order by 1"));
                dump.insert(*table, sqlx::query_scalar(rows).fetch_all(&self.store.database.reader).await.unwrap());
            }
        }
        dump
    }
}

/// A log and a read store, and what happened.
pub struct Tizza {
    folder: TempDir,
    pub log: EventLog,
    pub store: ReadStore,
    generations: Generations,
    pub history: History,
}

impl Tizza {
    pub async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), History::default()).await
    }

    async fn open(folder: TempDir, history: History) -> Self {
        let log = EventLog::open(&StoreUrl::file(folder.path().join("log.db"))).await.unwrap();
        let (store, mut generations) = read_store(&folder).await;
        let tally: Arc<dyn Projection> = Arc::new(Tally);
        let generation = store.ensure(tally.view(), &tally.tables()).await.unwrap();
        generations.push((tally, generation));
        Self { folder, log, store, generations, history }
    }

    pub async fn restarted(self) -> Self {
        self.log.close().await;
        self.store.close().await;
        Self::open(self.folder, self.history).await
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
        };
        match self.log.append(append).await.unwrap() {
            Outcome::Appended { position, .. } => position,
            refused @ (Outcome::Conflict { .. } | Outcome::Stale(_) | Outcome::ClaimTaken(_) | Outcome::AnotherStream) => {
                panic!("{refused:?}")
            }
        }
    }

    pub fn worker(&self, partition: Partition) -> Worker {
        Worker::new(self.log.clone(), self.store.clone(), partition, &self.generations)
    }

    /// Has every partition folded by a worker of its own.
    pub async fn fold_all(&self) {
        for partition in Partition::all() {
            assert_eq!(drain(&mut self.worker(partition)).await, Step::Idle);
        }
    }

    /// Everything that happened is in the rows, once.
    pub async fn assert_folded(&self) {
        assert_eq!(Model::read(&self.store).await, Model::of(&self.history.acts));
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

async fn read_store(folder: &TempDir) -> (ReadStore, Generations) {
    let store = ReadStore::open(&StoreUrl::file(folder.path().join("read.db"))).await.unwrap();
    let generations = projector::prepare(&store).await.unwrap();
    (store, generations)
}
