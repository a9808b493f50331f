//! Likes over HTTP: how many a second, by the number of connections.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::ensure;

use super::{Cluster, CommandApi, Crowd};
use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    load::{Requests, Script, Wrk},
    people::User,
};

/// So few that command-api can remember all of them, so many that one user finds new ones for seconds before it dislikes.
const PIZZAS: usize = 8_192;
const OWNERS: usize = 64;
/// For each run of each figure; there are eight with likes.
const PARTS: usize = 8;

/// Connections, as many clients of the baseline, and the ratio to reach.
const FIGURES: [(&str, u16, u16, f64); 3] = [("likes_1", 1, 1, 0.55), ("likes_32", 32, 32, 1.0), ("likes_64", 64, 32, 1.5)];

/// Those who like, and what.
pub struct Likers<'a> {
    pub api: &'a CommandApi,
    pub wrk: &'a Wrk,
    /// Owner number n has pizza number n, n + [`OWNERS`], ….
    users: Vec<User>,
    pizzas: Vec<String>,
    parts: usize,
    runs: AtomicUsize,
}

/// Who likes what in a run. No pair of them was liked before: the first reaction to each is a like, the second a dislike, and every one an event.
pub struct Pairs<'a> {
    pub users: Vec<User>,
    pub pizzas: &'a [String],
}

/// Each number of connections, for one user and for many.
///
/// # Errors
/// A request was refused, or wrote nothing.
pub async fn measure(bench: &Bench, cluster: &Cluster, likers: &Likers<'_>, report: &Report) -> anyhow::Result<()> {
    for (figure, connections, clients, aim) in FIGURES {
        for crowd in Crowd::BOTH {
            let name = crowd.name(&format!("postgres_{figure}"));
            let run = async |_| likers.run(&name, crowd, connections).await;
            let (value, baseline) = in_turn(&name, bench.runs, run, async || cluster.inserts(clients).await).await?;
            let baseline = Some(Baseline { value: baseline, unit: "inserts/s" });
            report.tell(&Figure { name: &name, value, unit: "likes/s", baseline, aim: Some(Aim::Ratio(aim)) });
        }
    }
    Ok(())
}

impl<'a> Likers<'a> {
    /// Signs up and bakes.
    ///
    /// # Errors
    /// A request was refused.
    pub async fn prepare(bench: &Bench, api: &'a CommandApi, wrk: &'a Wrk) -> anyhow::Result<Self> {
        eprintln!("postgres: {} users sign up, {PIZZAS} pizzas are put on cards", Crowd::MANY);
        let users = api.client.sign_up("user", Crowd::MANY).await?;
        eprintln!("postgres: {:.1} MiB resident at the most while they signed up", api.process.mib("VmHWM")?);
        let pizzas = api.client.bake(&users[..OWNERS], PIZZAS).await?;
        Ok(Self { api, wrk, users, pizzas, parts: PARTS * usize::from(bench.runs), runs: AtomicUsize::new(0) })
    }

    /// For the next run: many get pizzas that none of them has reacted to, one is somebody new.
    ///
    /// # Errors
    /// The sign-up was refused.
    pub async fn pairs(&self, crowd: Crowd) -> anyhow::Result<Pairs<'_>> {
        let run = self.runs.fetch_add(1, Relaxed);
        Ok(match crowd {
            Crowd::One => Pairs { users: self.api.client.sign_up(&format!("alone{run}x"), 1).await?, pizzas: &self.pizzas },
            Crowd::Many => {
                let length = self.pizzas.len() / self.parts;
                Pairs { users: self.users.clone(), pizzas: &self.pizzas[run % self.parts * length..][..length] }
            }
        })
    }

    /// A pizza and its owner.
    pub fn owned(&self, number: u16) -> (&User, &str) {
        let number = usize::from(number) % OWNERS;
        (&self.users[number], &self.pizzas[number])
    }

    /// Likes a second. Every one must be an event.
    ///
    /// # Errors
    /// One was refused, or wrote nothing.
    pub async fn run(&self, name: &str, crowd: Crowd, connections: u16) -> anyhow::Result<f64> {
        let Pairs { users, pizzas } = self.pairs(crowd).await?;
        let users = self.wrk.file("users", users.iter().map(|user| &user.cookie))?;
        let pizzas = self.wrk.file("pizzas", pizzas)?;
        self.send(name, Script::Likes, &[&users, &pizzas], connections).await
    }

    /// Answers a second. Every one must be an event.
    ///
    /// # Errors
    /// One was refused, or wrote nothing.
    pub async fn send(&self, name: &str, script: Script, files: &[&std::path::Path], connections: u16) -> anyhow::Result<f64> {
        let before = self.api.now().await?;
        let load = self.wrk.run(Requests { script, files, url: &self.api.client.url, cookie: None, connections }).await?;
        let written = self.api.written(before).await?;
        ensure!(written.events >= load.answered, "{} commands were answered, {} events were written", load.answered, written.events);
        eprintln!("{name}: {:.1} events a transaction", written.events as f64 / written.transactions as f64);
        Ok(load.per_second)
    }
}
