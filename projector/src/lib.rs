//! The projector: folds events into the rows that the query side reads.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`source`] | where events come from: the log, or a topic |
//! | [`ports`] | what a worker asks of the world, and a simulation plays |
//! | [`worker`] | one a partition: reads a batch, folds it, writes rows and checkpoints in one transaction |
//! | [`projection`] | what a projection is |
//! | [`folding`] | which generations workers fold |
//! | [`jobs`] | rebuilding, verifying, copying: while everything runs |
//! | [`parking`] | events that a fold cannot cope with |
//! | [`table`] | rows of a table while a batch is folded: loaded, changed in memory, written back |
//! | [`explain`] | the events behind one row: for operators |
//! | [`bulk`] | a new generation, built out of the whole log |
//! | [`lag`] | how far behind it is, and how the topic is followed: for operators |
//! | [`operations`] | what operators can do |
//! | [`service`] | the same as a program of its own |
//! | [`users`], [`pizzerias`], [`pizzas`], [`likes`] | the slices' projections |
//!
//! To add a projection: its view in `read-store/src/views.rs`, its fold in a slice here, one line in [`projections`].

pub mod bulk;
pub mod explain;
pub mod folding;
pub mod jobs;
pub mod lag;
pub mod likes;
pub mod operations;
pub mod parking;
pub mod pizzas;
pub mod pizzerias;
pub mod ports;
pub mod projection;
pub mod service;
pub mod source;
pub mod table;
pub mod users;
pub mod worker;

use std::{sync::Arc, time::Duration};

use event_log::{
    Epochs, EventLog, Heads, Partition,
    kafka::{Topic, TopicError, TopicSource},
};
use read_store::{
    ReadStore,
    jobs::{Kind, Request},
};
use service_kit::config::Group;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub use folding::Folding;
pub use jobs::Runner;
pub use operations::Operations;
pub use parking::ParkingError;
pub use ports::{Folds, Prepared};
pub use projection::{Fold, FoldError, Projection, Session};
pub use source::Source;
pub use worker::{Step, Worker};

/// The registry.
#[must_use]
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![
        projection::of::<users::Users>(),
        projection::of::<pizzerias::Pizzerias>(),
        projection::of::<pizzas::Pizzas>(),
        projection::of::<likes::Reactions>(),
    ]
}

/// Makes the tables of every projection that has none of its version yet, live at once: for a log that is empty or will be folded before
/// anybody reads. The answer is the generations to fold.
///
/// # Errors
/// The database's own.
pub async fn prepare(log: &Epochs, store: &ReadStore) -> Result<Vec<Prepared>, sqlx::Error> {
    follow_epochs(log, store).await?;
    let mut prepared = vec![];
    for projection in projections() {
        let generation = store.ensure(projection.view(), &projection.tables()).await?;
        prepared.push(Prepared::new(projection, generation));
    }
    Ok(prepared)
}

async fn follow_epochs(log: &Epochs, store: &ReadStore) -> Result<(), sqlx::Error> {
    let ahead = store.follow_epochs(log).await?;
    if !ahead.is_empty() {
        tracing::warn!(epoch = log.current(), views = ?ahead, "what has folded more than the restored log holds is built anew");
    }
    Ok(())
}

/// Has every projection that is not live in its version built: at once where nothing has happened yet, else by a job.
async fn build_missing(log: &EventLog, store: &ReadStore) -> Result<(), sqlx::Error> {
    follow_epochs(log.epochs(), store).await?;
    let is_empty = log.all_heads().await? == Heads::default();
    for projection in projections() {
        let view = projection.view();
        if store.live_generation(view).await?.is_some() {
            continue;
        }
        if is_empty {
            store.ensure(view, &projection.tables()).await?;
        } else if store.ask_for(Uuid::now_v7(), Kind::Upgrade, view, &Request::default()).await? {
            tracing::info!(projection = view.name, version = view.version, "it is built before it is read");
        }
    }
    Ok(())
}

/// A topic that is followed instead of the log.
#[derive(Clone, Debug)]
pub struct Following {
    /// Which.
    pub topic: Topic,
    /// How, and with whom the partitions are shared.
    pub group: Group,
}

/// What folds, before it begins.
pub struct Projector {
    log: EventLog,
    store: ReadStore,
    folding: Folding,
    source: Source,
    group: Option<Group>,
    asked: Arc<Notify>,
}

impl Projector {
    /// Makes what is missing, and finds out how far all is folded.
    ///
    /// # Errors
    /// The read store's database failed.
    pub async fn prepare(log: &EventLog, store: &ReadStore, following: Option<Following>) -> Result<Self, sqlx::Error> {
        build_missing(log, store).await?;
        let folding = Folding::open(store).await?;
        let (source, group) = match following {
            None => (Source::Log(log.clone()), None),
            Some(Following { topic, group }) => {
                let folded = furthest(store, &folding).await?;
                (Source::Topic(TopicSource::new(log.clone(), topic, folded)), Some(group))
            }
        };
        Ok(Self { log: log.clone(), store: store.clone(), folding, source, group, asked: Arc::default() })
    }

    /// What operators can do while it runs.
    #[must_use]
    pub fn operations(&self) -> Operations {
        Operations::new(self.log.clone(), self.store.clone(), self.folding.clone(), self.asked.clone())
    }

    /// How the topic is followed; `None`: the log is.
    #[must_use]
    pub fn topic(&self) -> Option<TopicSource> {
        match &self.source {
            Source::Log(_) => None,
            Source::Topic(topic) => Some(topic.clone()),
        }
    }

    /// Folds until `shutdown`, then finishes the batches in flight.
    ///
    /// # Errors
    /// The topic is not there, or not as it must be.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), TopicError> {
        let Self { log, store, folding, source, group, asked } = self;
        let workers = TaskTracker::new();
        for partition in Partition::all() {
            let worker = Worker::watching(source.clone(), store.clone(), partition, folding.watch());
            workers.spawn(worker::run(worker, shutdown.clone()));
        }
        let runner = Runner::new(log, store, folding.clone(), asked);
        workers.spawn({
            let shutdown = shutdown.clone();
            async move { tokio::join!(runner.run(&shutdown), folding.follow(&shutdown)) }
        });
        workers.close();
        if let (Source::Topic(topic), Some(group)) = (&source, &group) {
            follow(topic, group, &shutdown).await?;
        }
        workers.wait().await;
        Ok(())
    }
}

/// A topic that is not there yet is waited for: a relay may be about to make it.
async fn follow(topic: &TopicSource, group: &Group, shutdown: &CancellationToken) -> Result<(), TopicError> {
    // Releases that fold other versions do not share partitions: each needs all of them.
    let versions: Vec<_> = projections().iter().map(|projection| projection.view().version.to_string()).collect();
    let name = format!("{}.{}", group.kafka_group, versions.join("-"));
    loop {
        match topic.run(&name, group.session_timeout(), shutdown.clone()).await {
            Err(error @ TopicError::Missing(_)) => {
                tracing::warn!(%error, "the topic is waited for");
                if shutdown.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                    return Ok(());
                }
            }
            done => return done,
        }
    }
}

/// How long until a missing topic is looked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Up to where the furthest projection has folded each partition.
async fn furthest(store: &ReadStore, folding: &Folding) -> Result<Heads, sqlx::Error> {
    let checkpoints = store.checkpoints().await?;
    let generations = folding.watch();
    let generations = generations.borrow();
    let known = generations.iter().filter_map(|one| checkpoints.get(&(one.key().0.to_owned(), one.generation)));
    Ok(known.fold(Heads::default(), |far, positions| std::array::from_fn(|partition| far[partition].max(positions[partition]))))
}
