//! What a worker does when the server of the read store crashes, and when another transaction is in its way. Postgres only.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use database::{Either, Transaction};
use event_log::Partition;
use events::likes::Reaction::{Dislike, Like};
use futures::future::{BoxFuture, FutureExt};
use projector::{FoldError, Projection, Session, Step, parking::Readable, table::Table, worker};
use read_store::{Definition, Progress, View};
use test_servers::{Options, Postgres};
use tokio_util::sync::CancellationToken;

use crate::{
    history::{
        Act::{Create, React},
        user,
    },
    setup::{Place, Tizza},
};

/// The server forgets its last commits when it crashes: what was folded may have to be folded again, whether anything happens or not.
#[tokio::test]
async fn a_server_that_crashes_is_waited_for_and_gets_again_what_it_has_lost() {
    let Ok(mut server) = Postgres::start(Options { settings: &[("wal_writer_delay", "10s")], ..Options::default() }) else { return };
    let mut tizza = Tizza::at(Place::at(&server.new_database())).await;
    let partition = Partition::of(user(0).0);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(worker::run(tizza.worker(partition), shutdown.clone()));
    tizza.happens(&[Create(0)]).await;
    folded(&tizza, partition).await;

    server.stop();
    assert_eq!(tizza.worker(partition).step().await, Step::Blocked);
    server.restart();
    folded(&tizza, partition).await;

    server.stop();
    tizza.happens(&[React(0, 0, Some(Like)), React(0, 0, Some(Dislike))]).await;
    server.restart();
    folded(&tizza, partition).await;
    shutdown.cancel();
    running.await.unwrap();
    tizza.restarted().await.assert_folded().await;
}

/// Waits until the rows include all that happened.
async fn folded(tizza: &Tizza, partition: Partition) {
    let head = tizza.log.head(partition).await.unwrap();
    let there = |found: Progress| found.values().all(|positions| positions[partition.index()] == head);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !tizza.store.checkpoints().await.is_ok_and(there) {
        assert!(Instant::now() < deadline, "what the server has lost is folded again");
        tokio::task::yield_now().await;
    }
}

static UNLUCKY: View = View { name: "unlucky", version: 1, tables: &[] };

/// Is chosen to make way when transactions wait for each other in a circle, the first time.
#[derive(Default)]
struct Unlucky(AtomicBool);

impl Projection for Unlucky {
    fn view(&self) -> &'static View {
        &UNLUCKY
    }

    fn shapes(&self) -> &'static [&'static Table] {
        &[]
    }

    fn tables(&self) -> Vec<Definition> {
        vec![]
    }

    fn lists(&self, _: &str) -> bool {
        true
    }

    fn begin(&self) -> Box<dyn Session> {
        unreachable!("nobody fills it in bulk")
    }

    fn fold<'a>(&'a self, db: &'a mut Transaction, _: i64, _: &'a [Readable<'a>]) -> BoxFuture<'a, Result<(), FoldError>> {
        async move {
            if let Either::Postgres(db) = db
                && !self.0.swap(true, Ordering::Relaxed)
            {
                let sql = "do $$ begin raise exception using errcode = 'deadlock_detected'; end $$";
                sqlx::query(sql).execute(&mut **db).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

#[tokio::test]
async fn who_has_made_way_for_another_transaction_tries_again_at_once() {
    let Some(place) = Place::postgres() else { return };
    let mut tizza = Tizza::at(place).await;
    tizza.add(Arc::new(Unlucky::default())).await;
    tizza.happens(&[React(0, 0, Some(Like))]).await;
    let mut worker = tizza.worker(Partition::of(user(0).0));
    assert_eq!((worker.step().await, worker.step().await, worker.step().await), (Step::Folded, Step::Folded, Step::Idle));
    tizza.assert_folded().await;
}
