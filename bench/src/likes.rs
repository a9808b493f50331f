//! Reactions over HTTP: how many a second, and how much memory they take.

use std::path::Path;

use anyhow::ensure;

use crate::{
    Bench, What,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    insert,
    load::{CONNECTIONS, Requests, Script, Wrk},
    people::User,
    program::Tizza,
};

const USERS: usize = 64;
const PIZZAS: usize = 512;

/// A Tizza with people and pizzas.
struct Setting<'a> {
    tizza: Tizza,
    wrk: &'a Wrk,
    users: Vec<User>,
    /// One for each run of `likes_one_user`.
    alone: Vec<User>,
    pizzas: Vec<String>,
}

/// `likes`, `memory` and `likes_one_user`.
///
/// # Errors
/// A request was refused, or wrote nothing.
pub async fn measure(bench: &Bench, binary: &Path, wrk: &Wrk, report: &mut Report) -> anyhow::Result<()> {
    let setting = Setting::prepare(bench, binary, wrk).await?;
    let parts = setting.parts(bench.runs);
    if bench.what.includes(What::Likes) {
        let run = async |run| setting.run(&setting.users, parts[usize::from(run)]).await;
        setting.compare(bench, "likes", Some(Aim::Ratio(4.0)), run, report).await?;
    } else {
        for part in parts {
            setting.run(&setting.users, part).await?;
        }
    }
    if bench.what.includes(What::Memory) {
        let value = setting.tizza.process.mib("VmHWM")?;
        report.tell(&Figure { name: "memory", value, unit: "MiB", baseline: None, aim: Some(Aim::AtMost(100.0)) });
    }
    if bench.what.includes(What::Likes) {
        let run = async |run| setting.run(&setting.alone[usize::from(run)..][..1], &setting.pizzas).await;
        setting.compare(bench, "likes_one_user", None, run, report).await?;
    }
    Ok(())
}

impl<'a> Setting<'a> {
    async fn prepare(bench: &Bench, binary: &Path, wrk: &'a Wrk) -> anyhow::Result<Self> {
        eprintln!("likes: {USERS} users sign up, {PIZZAS} pizzas are put on cards");
        let tizza = Tizza::start(binary).await?;
        let users = tizza.client.sign_up("user", USERS).await?;
        let alone = tizza.client.sign_up("alone", bench.runs.into()).await?;
        let pizzas = tizza.client.bake(&users[..8], PIZZAS).await?;
        tizza.folded().await?;
        eprintln!("likes: {:.1} MiB resident at the most while they signed up", tizza.process.mib("VmHWM")?);
        Ok(Self { tizza, wrk, users, alone, pizzas })
    }

    /// Pizzas for each run, so that it begins with pairs of user and pizza that nobody knows what state they are in.
    fn parts(&self, runs: u16) -> Vec<&[String]> {
        self.pizzas.chunks(self.pizzas.len() / usize::from(runs)).take(runs.into()).collect()
    }

    async fn compare(
        &self,
        bench: &Bench,
        name: &'static str,
        aim: Option<Aim>,
        run: impl AsyncFnMut(u16) -> anyhow::Result<f64>,
        report: &Report,
    ) -> anyhow::Result<()> {
        let baseline = async || insert::per_second(self.tizza.folder(), bench.seconds).await;
        let (value, baseline) = in_turn(name, bench.runs, run, baseline).await?;
        let baseline = Some(Baseline { value: baseline, unit: "inserts/s" });
        report.tell(&Figure { name, value, unit: "likes/s", baseline, aim });
        Ok(())
    }

    /// Likes and dislikes a second. Every one must be an event.
    async fn run(&self, users: &[User], pizzas: &[String]) -> anyhow::Result<f64> {
        let before = self.tizza.events().await?;
        let users = self.wrk.file("users", users.iter().map(|user| &user.cookie))?;
        let pizzas = self.wrk.file("pizzas", pizzas)?;
        let (files, url) = ([&*users, &*pizzas], &*self.tizza.client.url);
        let load = self.wrk.run(Requests { script: Script::Likes, files: &files, url, cookie: None, connections: CONNECTIONS }).await?;
        self.tizza.folded().await?;
        let written = self.tizza.events().await? - before;
        ensure!(written >= load.answered, "{} reactions were answered, {written} events were written", load.answered);
        Ok(load.per_second)
    }
}
