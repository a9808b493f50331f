//! An operator beside running workers.

use std::{sync::Arc, time::Duration};

use event_log::Partition;
use projector::{Folding, Runner, Source, Worker, projections, worker};
use read_store::{
    Generation, Role, View,
    jobs::{Job, Kind, Outcome, Request, State},
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{model::Model, setup::Tizza};

/// Workers that fold whatever generations there are, until it ends; jobs are worked on only when they are asked for.
pub struct Operator<'a> {
    pub tizza: &'a Tizza,
    folding: Folding,
    workers: TaskTracker,
    shutdown: CancellationToken,
}

impl<'a> Operator<'a> {
    pub async fn of(tizza: &'a Tizza) -> Self {
        let folding = Folding::open(&tizza.store).await.unwrap();
        let (workers, shutdown) = (TaskTracker::new(), CancellationToken::new());
        for partition in Partition::all() {
            let worker = Worker::watching(Source::Log(tizza.log.clone()), tizza.store.clone(), partition, folding.watch());
            workers.spawn(worker::run(worker, shutdown.clone()));
        }
        Self { tizza, folding, workers, shutdown }
    }

    pub fn runner(&self) -> Runner {
        Runner::new(self.tizza.log.clone(), self.tizza.store.clone(), self.folding.clone(), Arc::new(Notify::new()))
    }

    pub async fn ask(&self, kind: Kind, view: &View, request: Request) -> Uuid {
        let id = Uuid::now_v7();
        assert!(self.tizza.store.ask_for(id, kind, view, &request).await.unwrap(), "it has a job that is not over");
        id
    }

    /// Asks for it, and has it worked on to its end.
    pub async fn does(&self, kind: Kind, view: &View, request: Request) -> Job {
        let id = self.ask(kind, view, request).await;
        assert!(self.runner().step().await.unwrap());
        self.job(id).await
    }

    /// The same, and it is done.
    pub async fn has_done(&self, kind: Kind, view: &View, request: Request) -> Outcome {
        let job = self.does(kind, view, request).await;
        assert_eq!(job.state, State::Done, "{job:?}");
        job.outcome.unwrap()
    }

    pub async fn job(&self, id: Uuid) -> Job {
        self.tizza.store.job(id).await.unwrap().unwrap()
    }

    /// The generations of a view, as number, role and whether it is live.
    pub async fn generations(&self, view: &View) -> Vec<(i64, Role, bool)> {
        let known = self.tizza.store.generations().await.unwrap();
        let own = known.into_iter().filter(|known| known.projection == view.name);
        own.map(|Generation { generation, role, is_live, .. }| (generation, role, is_live)).collect()
    }

    /// Everything that happened is in the rows that are read.
    pub async fn assert_read(&self) {
        let heads = self.tizza.log.all_heads().await.unwrap();
        let places: Vec<_> = Partition::all().map(|partition| (partition.number(), heads[partition.index()])).collect();
        let live = self.tizza.store.live().await.unwrap();
        let views: Vec<_> = projections().iter().map(|projection| projection.view()).collect();
        tokio::select! {
            told = self.tizza.store.wait(&live, &views, &places, Duration::from_secs(30)) => told.unwrap(),
            () = self.tizza.store.follow() => unreachable!(),
        }
        assert_eq!(Model::read(&self.tizza.store).await, Model::of(&self.tizza.history));
    }

    pub async fn ends(self) {
        self.shutdown.cancel();
        self.workers.close();
        self.workers.wait().await;
    }
}
