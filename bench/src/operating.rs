//! What clients notice of operators: requests at half of the peak rate while projections are rebuilt all the time, and reads while the live
//! generation changes.

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, median},
    load::{CONNECTIONS, Requests, Script, Wrk},
    people::User,
    postgres::{Cluster, Pace, Pairs, like, quantile},
    program::Tizza,
};

const USERS: usize = 64;
const PIZZAS: usize = 512;
/// Of the peak rate.
const SHARE: f64 = 0.5;
/// Reads a second while the live generation changes.
const READS: f64 = 1_000.0;
/// How long until it changes again.
const FLIP: Duration = Duration::from_millis(50);

struct Setting<'a> {
    name: &'static str,
    tizza: Tizza,
    wrk: &'a Wrk,
    users: Vec<User>,
    pizzas: Vec<String>,
}

/// `rebuilding_commands_p99`, `rebuilding_queries_p99` and `swap_stall`, embedded and on Postgres.
///
/// # Errors
/// A request was refused; there is no Postgres.
pub async fn measure(bench: &Bench, binary: &Path, wrk: &Wrk, report: &Report) -> anyhow::Result<()> {
    Setting::of("", bench, binary, wrk, None).await?.measure(bench, report).await?;
    let cluster = Cluster::start(&bench.folder, bench.seconds).await?;
    Setting::of("postgres_", bench, binary, wrk, Some(&cluster.new_database())).await?.measure(bench, report).await
}

impl<'a> Setting<'a> {
    async fn of(name: &'static str, bench: &Bench, binary: &Path, wrk: &'a Wrk, database: Option<&str>) -> anyhow::Result<Self> {
        let tizza = Tizza::start_in(binary, database).await?;
        let users = tizza.client.sign_up("user", USERS).await?;
        let pizzas = tizza.client.bake(&users[..8], PIZZAS).await?;
        let setting = Self { name, tizza, wrk, users, pizzas };
        // Something to be rebuilt.
        for _ in 0..bench.runs {
            setting.peak(Script::Likes).await?;
        }
        setting.tizza.folded().await?;
        Ok(setting)
    }

    async fn measure(&self, bench: &Bench, report: &Report) -> anyhow::Result<()> {
        for (script, what) in [(Script::Likes, "commands"), (Script::Paths, "queries")] {
            let name = format!("{}rebuilding_{what}_p99", self.name);
            let (mut without, mut with) = (vec![], vec![]);
            for run in 1..=bench.runs {
                let rate = SHARE * self.peak(script).await?;
                self.tizza.folded().await?;
                let quiet = self.p99(script, rate, bench.seconds)?;
                let (busy, rebuilds) = self.while_rebuilding(|| self.p99(script, rate, bench.seconds)).await?;
                eprintln!("{name}, run {run}: {busy:.1} ms during {rebuilds} rebuilds, {quiet:.1} ms without, at {rate:.0}/s");
                without.push(quiet);
                with.push(busy);
            }
            let baseline = Some(Baseline { value: median(without), unit: "ms_without" });
            report.tell(&Figure { name: &name, value: median(with), unit: "ms", baseline, aim: Some(Aim::RatioAtMost(2.0)) });
        }
        let mut slowest = vec![];
        for _ in 0..bench.runs {
            slowest.push(self.swapping(bench.seconds).await?);
        }
        let name = format!("{}swap_stall", self.name);
        report.tell(&Figure { name: &name, value: median(slowest), unit: "ms", baseline: None, aim: Some(Aim::AtMost(50.0)) });
        Ok(())
    }

    /// How many requests a second wrk gets answered.
    async fn peak(&self, script: Script) -> anyhow::Result<f64> {
        let users = self.wrk.file("users", self.users.iter().map(|user| &user.cookie))?;
        let pizzas = self.wrk.file("pizzas", &self.pizzas)?;
        let (both, paths) = ([&*users, &*pizzas], [&*pizzas]);
        let files: &[&Path] = if matches!(script, Script::Likes) { &both } else { &paths };
        let url = &*self.tizza.client.url;
        Ok(self.wrk.run(Requests { script, files, url, cookie: None, connections: CONNECTIONS }).await?.per_second)
    }

    /// Milliseconds that 99 % did not exceed.
    fn p99(&self, script: Script, rate: f64, seconds: u64) -> anyhow::Result<f64> {
        let mut took = self.send(script, rate, seconds)?;
        Ok(quantile(&mut took, 0.99).as_secs_f64() * 1_000.0)
    }

    fn send(&self, script: Script, rate: f64, seconds: u64) -> anyhow::Result<Vec<Duration>> {
        let address = self.tizza.client.url.strip_prefix("http://").context("its URL begins with http")?;
        let pairs = Pairs { users: self.users.clone(), pizzas: &self.pizzas };
        let request = |number: u64| match script {
            Script::Likes | Script::Titles => like(&pairs, address, number as usize),
            Script::Paths => format!("GET {} HTTP/1.1\r\nHost: {address}\r\n\r\n", pairs.pizzas[number as usize % pairs.pizzas.len()]),
        };
        tokio::task::block_in_place(|| Pace { address, rate, seconds }.send(request))
    }

    /// Does something while the reactions are rebuilt again and again; how many were done.
    async fn while_rebuilding<T>(&self, measure: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, usize)> {
        let (operator, over) = (self.tizza.operator()?, CancellationToken::new());
        let rebuilding = tokio::spawn({
            let over = over.clone();
            async move {
                let mut done = 0;
                while !over.is_cancelled() {
                    operator.job("rebuilds", json!({ "projection": "reactions" })).await?;
                    operator.ask(Method::POST, "cleanups", json!({ "older_than_s": 0 })).await?;
                    done += 1;
                }
                anyhow::Ok(done)
            }
        });
        let measured = measure();
        over.cancel();
        let done = rebuilding.await??;
        Ok((measured?, done))
    }

    /// The slowest of all reads while the live generation changes again and again, in milliseconds. None fails.
    async fn swapping(&self, seconds: u64) -> anyhow::Result<f64> {
        let (operator, over) = (self.tizza.operator()?, CancellationToken::new());
        operator.job("rebuilds", json!({ "projection": "reactions" })).await?;
        let flipping = tokio::spawn({
            let over = over.clone();
            async move {
                let mut swaps = 0;
                while over.run_until_cancelled(tokio::time::sleep(FLIP)).await.is_some() {
                    operator.ask(Method::POST, "projections/reactions/rollback", Value::Null).await?;
                    swaps += 1;
                }
                anyhow::Ok(swaps)
            }
        });
        let took = self.send(Script::Paths, READS, seconds);
        over.cancel();
        let swaps = flipping.await??;
        ensure!(swaps > 0, "nothing was swapped");
        let slowest = took?.into_iter().max().unwrap_or_default().as_secs_f64() * 1_000.0;
        eprintln!("{}swap_stall: {slowest:.1} ms at {swaps} swaps", self.name);
        Ok(slowest)
    }
}
