//! Group commit by natural batching: while one batch is being written the next collects. No timer. SQLite has one writer; Postgres has
//! two, each of which serves every second partition.

mod submitted;

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use database::{Database, Fault, Pool};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Append, AppendError, Batches, Heads, Outcome, Partition, Position,
    figures::Appends,
    recent::Recent,
    store::{
        Written,
        postgres::{self, listen::Bell},
        sqlite,
    },
    trace::Span,
};

pub use submitted::Submitted;

/// How many wishes may wait, with all writers; the next is told to come back later.
const QUEUE: usize = 4_096;
/// How many wishes one transaction takes.
const BATCH: usize = 256;
/// How many bytes of payload one transaction takes.
const BATCH_BYTES: usize = 1024 * 1024;
/// More would wait for each other's fsync; fewer leave it idle.
const POSTGRES_WRITERS: usize = 2;

type Answer = Result<Outcome, AppendError>;

struct Job {
    append: Append,
    answer: oneshot::Sender<Answer>,
}

/// Where appends queue up. The tasks end with the last clone.
#[derive(Clone, Debug)]
pub struct Writers {
    queues: Vec<mpsc::Sender<Job>>,
    tasks: TaskTracker,
    closing: CancellationToken,
    counted: Arc<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    batches: AtomicU64,
    commands: AtomicU64,
    micros: AtomicU64,
    figures: Appends,
}

/// Who is told of what was written.
#[derive(Clone, Debug)]
pub struct Told {
    pub heads: Arc<watch::Sender<Heads>>,
    pub recent: Arc<Recent>,
    pub bell: Bell,
}

impl Writers {
    pub fn start(database: &Database, told: &Told) -> Self {
        let stores: Vec<Store> = match &database.writer {
            Pool::Sqlite(_) => vec![Store::Sqlite(database.clone())],
            Pool::Postgres(pool) => {
                (0..POSTGRES_WRITERS).map(|_| Store::Postgres(Box::new(postgres::Writer::new(database.clone(), pool)))).collect()
            }
        };
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let counted = Arc::<Counted>::default();
        let depth = QUEUE / stores.len();
        let start = |store| {
            let (queue, jobs) = mpsc::channel(depth);
            let writer = Writer { store, told: told.clone(), counted: counted.clone() };
            tasks.spawn(writer.run(jobs, closing.clone()));
            queue
        };
        let queues = stores.into_iter().map(start).collect();
        tasks.close();
        Self { queues, tasks, closing, counted }
    }

    /// Puts a wish into its partition's queue: what is submitted later is judged later.
    pub fn submit(&self, append: Append, span: Span) -> Result<Submitted, AppendError> {
        let (answer, answered) = oneshot::channel();
        let queue = &self.queues[append.partition.index() % self.queues.len()];
        let queued = queue.try_send(Job { append, answer }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => AppendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
        });
        queued.inspect_err(|error| self.counted.figures.answered(Err(error)))?;
        Ok(Submitted { answered, span })
    }

    /// Writes what is queued and ends the tasks.
    pub async fn drain(&self) {
        self.closing.cancel();
        self.tasks.wait().await;
    }

    /// How many wishes wait in the queues.
    pub fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.max_capacity() - queue.capacity()).sum()
    }

    pub fn batches(&self) -> Batches {
        let Counted { batches, commands, micros, .. } = &*self.counted;
        Batches { batches: batches.load(Relaxed), commands: commands.load(Relaxed), micros: micros.load(Relaxed) }
    }
}

/// Tells those who wait that heads have moved; never backwards.
pub fn publish(heads: &watch::Sender<Heads>, found: impl IntoIterator<Item = (Partition, Position)>) {
    heads.send_if_modified(|known| {
        let mut moved = false;
        for (partition, position) in found {
            let known = &mut known[partition.index()];
            moved |= mem::replace(known, position.max(*known)) < position;
        }
        moved
    });
}

enum Store {
    Sqlite(Database),
    Postgres(Box<postgres::Writer>),
}

struct Writer {
    store: Store,
    told: Told,
    counted: Arc<Counted>,
}

impl Writer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>, closing: CancellationToken) {
        let mut left_over = None;
        loop {
            let next = match left_over.take() {
                Some(job) => Some(job),
                None => tokio::select! {
                    biased;
                    job = jobs.recv() => job,
                    () = closing.cancelled(), if !jobs.is_closed() => {
                        jobs.close();
                        continue;
                    }
                },
            };
            let Some(first) = next else { return };
            let batch;
            (batch, left_over) = collect(first, &mut jobs);
            self.answer(batch).await;
        }
    }

    async fn answer(&mut self, batch: Vec<Job>) {
        let (appends, answers): (Vec<Append>, Vec<_>) = batch.into_iter().map(|job| (job.append, job.answer)).unzip();
        let outcomes = match self.write(&appends).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if Fault::of(&error) == Fault::Data => self.one_by_one(&appends, error).await,
            Err(error) => failed(appends.len(), error),
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            self.counted.figures.answered(outcome.as_ref());
            // Whoever asked may be gone; the events are there all the same.
            let _ = answer.send(outcome);
        }
    }

    /// The members of a batch that cannot be stored as a whole: only the one at fault is refused.
    async fn one_by_one(&mut self, batch: &[Append], error: sqlx::Error) -> Vec<Answer> {
        if let [_] = batch {
            tracing::error!(%error, "a command's data was refused by the database");
            return vec![Err(AppendError::Refused(error.into()))];
        }
        let mut answers = vec![];
        for member in batch.chunks(1) {
            match self.write(member).await {
                Ok(outcomes) => answers.extend(outcomes.into_iter().map(Ok)),
                Err(error) if Fault::of(&error) == Fault::Data => {
                    tracing::error!(%error, "a command's data was refused by the database");
                    answers.push(Err(AppendError::Refused(error.into())));
                }
                Err(error) => answers.extend(failed(1, error)),
            }
        }
        answers
    }

    async fn write(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, sqlx::Error> {
        let started = Instant::now();
        let Written { outcomes, heads, events } = match &mut self.store {
            Store::Sqlite(database) => sqlite::append(database, batch).await?,
            Store::Postgres(writer) => writer.append(batch).await?,
        };
        self.counted.batches.fetch_add(1, Relaxed);
        self.counted.commands.fetch_add(batch.len() as u64, Relaxed);
        let took = started.elapsed();
        self.counted.micros.fetch_add(took.as_micros() as u64, Relaxed);
        self.counted.figures.wrote(batch.len(), took);
        if !events.is_empty() {
            self.told.recent.keep(events);
            publish(&self.told.heads, heads);
            self.told.bell.ring();
        }
        Ok(outcomes)
    }
}

fn failed(commands: usize, error: sqlx::Error) -> Vec<Answer> {
    tracing::error!(%error, commands, "a batch was not written");
    let error = Arc::new(error);
    (0..commands).map(|_| Err(AppendError::Database(error.clone()))).collect()
}

/// Takes what waits, as far as one transaction goes; the job that did not fit is the first of the next batch.
fn collect(first: Job, jobs: &mut mpsc::Receiver<Job>) -> (Vec<Job>, Option<Job>) {
    let mut bytes = first.append.bytes();
    let mut batch = vec![first];
    while batch.len() < BATCH {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.append.bytes();
        if bytes > BATCH_BYTES {
            return (batch, Some(job));
        }
        batch.push(job);
    }
    (batch, None)
}

#[cfg(test)]
mod tests;
