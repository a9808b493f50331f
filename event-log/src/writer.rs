//! Group commit by natural batching: while one batch is being written the next collects. No timer.

use std::{mem, sync::Arc};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Append, AppendError, Heads, Outcome,
    recent::Recent,
    store::{self, Written},
};
use database::Database;

/// How many wishes may wait; the next is told to come back later.
const QUEUE: usize = 4_096;
/// How many wishes one transaction takes.
const BATCH: usize = 256;
/// How many bytes of payload one transaction takes.
const BATCH_BYTES: usize = 1024 * 1024;

type Answer = Result<Outcome, AppendError>;

struct Job {
    append: Append,
    answer: oneshot::Sender<Answer>,
}

/// Where appends queue up. Its task ends with the last clone.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl Writer {
    pub fn start(database: Database, heads: Arc<watch::Sender<Heads>>, recent: Arc<Recent>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(run(database, jobs, closing.clone(), heads, recent));
        tasks.close();
        Self { queue, tasks, closing }
    }

    pub async fn append(&self, append: Append) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Job { append, answer }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => AppendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
        })?;
        answered.await.unwrap_or(Err(AppendError::Closed))
    }

    /// Writes what is queued and ends the task.
    pub async fn drain(&self) {
        self.closing.cancel();
        self.tasks.wait().await;
    }
}

/// Tells those who wait that heads have moved; never backwards.
pub fn publish(heads: &watch::Sender<Heads>, found: Heads) {
    heads.send_if_modified(|known| {
        let newer = known.iter().zip(found).map(|(known, found)| found.max(*known));
        let newer: Heads = newer.collect::<Vec<_>>().try_into().expect("as many as there are partitions");
        mem::replace(known, newer) != newer
    });
}

async fn run(
    database: Database,
    mut jobs: mpsc::Receiver<Job>,
    closing: CancellationToken,
    heads: Arc<watch::Sender<Heads>>,
    recent: Arc<Recent>,
) {
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
        write(&database, batch, &heads, &recent).await;
    }
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

async fn write(database: &Database, batch: Vec<Job>, heads: &watch::Sender<Heads>, recent: &Recent) {
    let (appends, answers): (Vec<Append>, Vec<_>) = batch.into_iter().map(|job| (job.append, job.answer)).unzip();
    match store::append(database, &appends).await {
        Ok(Written { outcomes, heads: found, events }) => {
            recent.keep(events);
            publish(heads, found);
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // Whoever asked may be gone; the events are there all the same.
                let _ = answer.send(Ok(outcome));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            tracing::error!(%error, commands = answers.len(), "a batch was not written");
            for answer in answers {
                let _ = answer.send(Err(AppendError::Database(error.clone())));
            }
        }
    }
}
