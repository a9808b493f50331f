//! Building a generation out of a whole log, on both databases.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`filling`] | many likes, straight into a log's tables |
//! | [`tally`] | a projection that only counts |
//! | [`baselines`] | rows that are copied into a table with the same indexes; a bare fold; the same fold without workers |

mod baselines;
mod filling;
mod tally;

use std::{sync::Arc, time::Instant};

use anyhow::{Context, ensure};
use database::StoreUrl;
use event_log::{EventLog, Heads, KeyStore, Keys, LogStore};
use projector::{
    Folding, Prepared, Projection, Projector, Runner,
    bulk::{self, How},
    likes::Reactions,
    projection,
};
use read_store::{
    ReadStore,
    jobs::{Kind, Request, State},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    history::{self, KEY_ENCRYPTION_KEY, PATIENCE, USERS},
    machine::peak_mib,
    postgres::Cluster,
};
use tally::Tally;

/// A log, and where read stores are made.
struct Setting<'a> {
    name: &'static str,
    log: EventLog,
    log_url: StoreUrl,
    new_store: &'a dyn Fn() -> anyhow::Result<StoreUrl>,
    events: f64,
}

/// `rebuild`, `rebuild_counting`, `verify_rows`, `live_fold` and `rebuild_memory`, embedded and on Postgres.
///
/// # Errors
/// There is no Postgres, or rows are not what they must be.
pub async fn measure(bench: &Bench, report: &Report) -> anyhow::Result<()> {
    // Each user likes so many pizzas.
    let likes = u128::from(bench.events) / USERS;
    let folder = tempfile::tempdir_in(&bench.folder)?;
    let file = |name: String| StoreUrl::file(folder.path().join(name));
    let new_store = || Ok(file(format!("{}.db", Uuid::now_v7())));
    let (log, keys) = (file("log.db".into()), file("keys.db".into()));
    Setting::of("", &log, &keys, &new_store, likes).await?.measure(bench, report, [0.5, 0.5]).await?;
    let cluster = Cluster::start(&bench.folder, bench.seconds).await?;
    let new_store = || Ok(cluster.new_database().parse()?);
    let log = new_store()?;
    Setting::of("postgres_", &log, &log, &new_store, likes).await?.measure(bench, report, [0.8, 0.5]).await
}

impl<'a> Setting<'a> {
    async fn of(
        name: &'static str,
        log: &StoreUrl,
        keys: &StoreUrl,
        new_store: &'a dyn Fn() -> anyhow::Result<StoreUrl>,
        likes: u128,
    ) -> anyhow::Result<Self> {
        filling::fill(log, keys, likes).await?;
        let keys = Keys::new(KeyStore::open(keys, PATIENCE).await?, &[KEY_ENCRYPTION_KEY]);
        let opened = EventLog::start(LogStore::open(log, PATIENCE).await?, keys).await?;
        Ok(Self { name, log: opened, log_url: log.clone(), new_store, events: history::events(likes) as f64 })
    }

    async fn measure(self, bench: &Bench, report: &Report, [rows, counted]: [f64; 2]) -> anyhow::Result<()> {
        let runs = bench.runs.min(3);
        let tell = |figure: &str, unit, (value, baseline), base, aim| {
            let name = format!("{}{figure}", self.name);
            report.tell(&Figure {
                name: &name,
                value,
                unit,
                baseline: Some(Baseline { value: baseline, unit: base }),
                aim: Some(Aim::Ratio(aim)),
            });
        };
        let reactions = projection::of::<Reactions>();
        let last = std::cell::RefCell::new(None);
        let ours = async |_| {
            let (store, speed) = self.built(&reactions).await?;
            if let Some(before) = last.replace(Some(store)) {
                before.close().await;
            }
            Ok(speed)
        };
        let theirs = async || {
            let store = last.borrow().clone().context("something was built")?;
            baselines::copied(&store).await
        };
        let figure = in_turn("rebuild", runs, ours, theirs).await?;
        tell("rebuild", "events/s", figure, "rows/s_copied", rows);
        let tally = projection::of::<Tally>();
        let ours = async |_| {
            let (store, speed) = self.built(&tally).await?;
            store.close().await;
            Ok(speed)
        };
        let figure = in_turn("rebuild_counting", runs, ours, async || baselines::counted(&self.log_url).await).await?;
        tell("rebuild_counting", "events/s", figure, "events/s_counted", counted);
        let (live, verified, rebuilt) = self.verified().await?;
        tell("verify_rows", "events/s", (verified, rebuilt), "events/s_rebuilt", 0.8);
        eprintln!("{}live fold: {live:.0} events/s of all projections, from an empty store", self.name);
        let value = peak_mib()?;
        let name = format!("{}rebuild_memory", self.name);
        report.tell(&Figure { name: &name, value, unit: "MiB", baseline: None, aim: Some(Aim::AtMost(300.0)) });
        self.log.close().await;
        Ok(())
    }

    /// A new read store with one projection, indexes and all; and how many events a second that took.
    async fn built(&self, projection: &Arc<dyn Projection>) -> anyhow::Result<(ReadStore, f64)> {
        let store = ReadStore::open(&(self.new_store)()?, PATIENCE).await?;
        let (view, job) = (projection.view(), Uuid::now_v7());
        let generation = store.begin_building(view, &projection.tables(), job, |_| read_store::jobs::Progress::none()).await?;
        let target = Prepared::new(projection.clone(), generation);
        let (heads, started) = (self.log.all_heads().await?, Instant::now());
        bulk::build(&self.log, &store, &target, &heads, How::first(&store), |_| {}).await?;
        bulk::index(&store, &target).await?;
        let took = started.elapsed().as_secs_f64();
        let folded = store.checkpoints().await?.remove(&(view.name.to_owned(), generation)).unwrap_or_default();
        ensure!(folded == heads, "not all is folded");
        Ok((store, self.events / took))
    }

    /// Events a second: of workers that fold all projections from nothing, of a verification of one, and of its rebuild, with its own verification.
    async fn verified(&self) -> anyhow::Result<(f64, f64, f64)> {
        let store = ReadStore::open(&(self.new_store)()?, PATIENCE).await?;
        projector::prepare(self.log.epochs(), &store).await?;
        let (shutdown, started) = (CancellationToken::new(), Instant::now());
        let running = tokio::spawn(Projector::prepare(&self.log, &store, None).await?.run(shutdown.clone()));
        let heads: Heads = self.log.all_heads().await?;
        while !store.checkpoints().await?.values().all(|positions| *positions == heads) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let speed = |started: Instant| self.events / started.elapsed().as_secs_f64();
        let live = speed(started);
        let runner = Runner::new(self.log.clone(), store.clone(), Folding::open(&store).await?, Arc::default());
        let mut speeds = vec![];
        for kind in [Kind::Verify, Kind::Rebuild] {
            let (id, started) = (Uuid::now_v7(), Instant::now());
            ensure!(store.ask_for(id, kind, &read_store::views::REACTIONS, &Request::default()).await?, "a job is in the way");
            loop {
                runner.step().await?;
                let job = store.job(id).await?.context("the job is there")?;
                ensure!(matches!(job.state, State::Running | State::Done), "{job:?}");
                if job.state == State::Done {
                    break;
                }
            }
            speeds.push(speed(started));
        }
        shutdown.cancel();
        running.await??;
        store.close().await;
        Ok((live, speeds[0], speeds[1]))
    }
}
