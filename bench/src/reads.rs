//! Reading one pizza by its id, and random pizzas, out of many.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Bench, What,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    load::{CONNECTIONS, Requests, Script, Wrk},
    people::User,
    program::{Process, Tizza},
};

const OWNERS: usize = 64;
/// How many pizzas are read by id.
const READ: usize = 1_000;
/// How many pizzas the caller of `random` has reacted to.
const SEEN: usize = 1_000;
const RANDOM: &str = "/api/v1/pizzas/random";

/// `pizza` and `random`.
///
/// # Errors
/// A request was refused, or answered with something else.
pub async fn measure(bench: &Bench, binary: &Path, wrk: &Wrk, report: &mut Report) -> anyhow::Result<()> {
    eprintln!("reads: {} pizzas are put on cards", bench.pizzas);
    let tizza = Tizza::start(binary).await?;
    let owners = tizza.client.sign_up("owner", OWNERS).await?;
    let mut pizzas = tizza.client.bake(&owners, bench.pizzas.try_into()?).await?;
    pizzas.sort_by_cached_key(|_| Uuid::new_v4());
    tizza.folded().await?;
    if bench.what.includes(What::Pizza) {
        let done = pizza(bench, &tizza, wrk, &pizzas[..READ], report).await;
        report.ended("pizza", done);
    }
    if bench.what.includes(What::Random) {
        let done = random(bench, &tizza, wrk, &pizzas, report).await;
        report.ended("random", done);
    }
    Ok(())
}

/// Against a handler that does nothing but the select, on the same file.
async fn pizza(bench: &Bench, tizza: &Tizza, wrk: &Wrk, pizzas: &[String], report: &Report) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").arg("--store").arg(tizza.read_store()).args(["--public-url", &tizza.client.url]);
    let (_process, listens) = Process::start(&mut command)?;
    let bare = format!("http://{}", listens["address"].as_str().context("no address in its line")?);
    for path in &pizzas[..10] {
        let (ours, theirs) = (get(tizza, &tizza.client.url, path, None).await?, get(tizza, &bare, path, None).await?);
        ensure!(ours == theirs, "src/bare.rs is out of date: it answers {theirs} where Tizza answers {ours}");
    }
    let paths = wrk.file("paths", pizzas)?;
    let run = async |url: &str| {
        let requests = Requests { script: Script::Paths, files: &[&paths], url, cookie: None, connections: CONNECTIONS };
        anyhow::Ok(wrk.run(requests).await?.per_second)
    };
    let (value, baseline) = in_turn("pizza", bench.runs, async |_| run(&tizza.client.url).await, async || run(&bare).await).await?;
    let baseline = Some(Baseline { value: baseline, unit: "bare_gets/s" });
    report.tell(&Figure { name: "pizza", value, unit: "gets/s", baseline, aim: Some(Aim::Ratio(0.9)) });
    Ok(())
}

/// Against reading by id, by the same caller from the same rows.
async fn random(bench: &Bench, tizza: &Tizza, wrk: &Wrk, pizzas: &[String], report: &Report) -> anyhow::Result<()> {
    let callers = tizza.client.sign_up("caller", 1).await?;
    let caller = &callers[0];
    let (seen, others) = pizzas.split_at(SEEN);
    tizza.client.like(caller, seen).await?;
    tizza.folded().await?;
    let answer = get(tizza, &tizza.client.url, RANDOM, Some(caller)).await?;
    let found = answer.as_array().or_else(|| answer["results"].as_array()).context("no list of random pizzas")?;
    let unseen = |pizza: &&Value| pizza["id"].as_str().is_some_and(|id| !seen.iter().any(|path| path.ends_with(id)));
    ensure!(found.len() == 15 && found.iter().filter(unseen).count() == 15, "not 15 pizzas that the caller has not reacted to: {answer}");

    let (random, by_id) = (wrk.file("random", [RANDOM])?, wrk.file("paths", &others[..READ])?);
    let run = async |paths: &Path| {
        let (url, cookie) = (&*tizza.client.url, Some(&*caller.cookie));
        let requests = Requests { script: Script::Paths, files: &[paths], url, cookie, connections: CONNECTIONS };
        anyhow::Ok(wrk.run(requests).await?.per_second)
    };
    let (value, baseline) = in_turn("random", bench.runs, async |_| run(&random).await, async || run(&by_id).await).await?;
    let baseline = Some(Baseline { value: baseline, unit: "gets_by_id/s" });
    report.tell(&Figure { name: "random", value, unit: "gets/s", baseline, aim: Some(Aim::Ratio(0.5)) });
    Ok(())
}

async fn get(tizza: &Tizza, url: &str, path: &str, caller: Option<&User>) -> anyhow::Result<Value> {
    let mut request = tizza.client.http.get(format!("{url}{path}"));
    if let Some(caller) = caller {
        request = request.header(reqwest::header::COOKIE, &caller.cookie);
    }
    let answer = request.send().await?.error_for_status().with_context(|| format!("GET {path}"))?;
    Ok(answer.json().await?)
}
