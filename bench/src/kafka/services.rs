//! Each service as a process of its own, over Postgres and Kafka.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use event_log::{EventLog, Partition};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_servers::Kafka;
use tokio::task::JoinSet;

use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, median},
    people::{Client, User},
    postgres::{Cluster, quantile},
    program::{self, Process},
};

const USERS: usize = 40;
const PIZZAS: usize = 400;
/// Commands a second.
const RATE: u64 = 200;
const WRITERS: usize = 32;
const SESSION_TIMEOUT: u64 = 6;
const LIMIT: Duration = Duration::from_secs(60);

/// All of them.
struct House {
    commands: Process,
    relays: Vec<Process>,
    projectors: Vec<Process>,
    queries: Process,
    client: Client,
    query_url: String,
    log: EventLog,
    place: Place,
}

/// Where they find what they need.
struct Place {
    binary: std::path::PathBuf,
    log: String,
    read: String,
    servers: String,
    secrets: TempDir,
}

impl Place {
    fn start(&self, role: &str) -> anyhow::Result<(Process, Value)> {
        let mut command = Command::new(&self.binary);
        command.arg(role).env_clear().env("DATA_DIR", self.secrets.path()).env("HTTP_PORT", "0").env("ADMIN_PORT", "0");
        command.env("LOG_URL", &self.log).env("IDENTITY_URL", &self.log).env("KEYS_URL", &self.log).env("READ_URL", &self.read);
        command.env("KAFKA_SESSION_TIMEOUT", SESSION_TIMEOUT.to_string()).env("PUBLIC_URL", "http://tizza.bench");
        if role != "query-api" {
            command.env("KAFKA_URL", &self.servers).env("CREATE_TOPIC", "true");
        }
        command.env("LOG_FORMAT", "json").env("LOG_LEVEL", "warn,command_api=info,event_log=info,tizza=info,projector=info,query_api=info");
        Process::start(&mut command)
    }
}

pub async fn measure(bench: &Bench, binary: &Path, cluster: &Cluster, broker: &mut Kafka, report: &Report) -> anyhow::Result<()> {
    let place = Place {
        binary: binary.into(),
        log: cluster.new_database(),
        read: cluster.new_database(),
        servers: broker.bootstrap(),
        secrets: tempfile::tempdir()?,
    };
    let (commands, listens) = place.start("command-api")?;
    let client = Client { http: reqwest::Client::new(), url: program::url(&listens, "address")? };
    let (relays, projectors) = (vec![place.start("relay")?.0], vec![place.start("projector")?.0]);
    let (queries, listens) = place.start("query-api")?;
    let query_url = program::url(&listens, "address")?;
    let log = super::open(&place.log).await?;
    let mut house = House { commands, relays, projectors, queries, client, query_url, log, place };
    tokio::time::sleep(Duration::from_secs(3)).await;
    house.memory(report)?;
    let users = house.client.sign_up("user", USERS).await?;
    let pizzas = house.client.bake(&users[..4], PIZZAS).await?;
    // The broker's machine compiles what it runs often.
    house.commands_a_second(bench, &users, &pizzas).await?;
    house.caught_up().await?;
    house.seen(bench, &users, &pizzas, report).await?;
    house.while_away(bench, broker, &users, &pizzas, report).await?;
    house.takeovers(bench, &users, &pizzas, report).await
}

impl House {
    fn memory(&self, report: &Report) -> anyhow::Result<()> {
        let all =
            [("command_api", &self.commands), ("relay", &self.relays[0]), ("projector", &self.projectors[0]), ("query_api", &self.queries)];
        for (name, process) in all {
            let name = format!("idle_memory_{name}");
            report.tell(&Figure { name: &name, value: process.mib("VmRSS")?, unit: "MiB", baseline: None, aim: Some(Aim::AtMost(60.0)) });
        }
        Ok(())
    }

    /// From the answer to a command until a query shows it, 200 commands a second.
    async fn seen(&self, bench: &Bench, users: &[User], pizzas: &[String], report: &Report) -> anyhow::Result<()> {
        let (mut medians, mut slowest) = (vec![], vec![]);
        for run in 0..u64::from(bench.runs) {
            let (mut sent, mut tick) = (JoinSet::new(), tokio::time::interval(Duration::from_micros(1_000_000 / RATE)));
            for number in 0..RATE * bench.seconds {
                tick.tick().await;
                let (user, pizza) =
                    (users[number as usize % users.len()].clone(), pizzas[(run * 7 + number) as usize % pizzas.len()].clone());
                let (client, query_url, turn) = (self.client.clone(), self.query_url.clone(), number / PIZZAS as u64);
                sent.spawn(async move {
                    let token = react(&client, &user, &pizza, turn).await?;
                    let answered = Instant::now();
                    let read = client.http.get(format!("{query_url}{pizza}/reaction")).header(header::COOKIE, &user.cookie);
                    let read = read.header("Consistency-Token", token).header("Prefer", "wait=20").send().await?;
                    ensure!(read.status() == StatusCode::OK, "{}", read.text().await?);
                    Ok(answered.elapsed())
                });
            }
            let mut took = sent.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
            let [median, slow] = [0.5, 0.99].map(|share| quantile(&mut took, share).as_secs_f64() * 1e3);
            eprintln!("seen, run {}: p50 {median:.1} ms, p99 {slow:.1} ms", run + 1);
            medians.push(median);
            slowest.push(slow);
        }
        for (name, values, most) in [("seen_p50", medians, 15.0), ("seen_p99", slowest, 50.0)] {
            report.tell(&Figure { name, value: median(values), unit: "ms", baseline: None, aim: Some(Aim::AtMost(most)) });
        }
        Ok(())
    }

    /// Commands a second while the broker is frozen, beside while it is there.
    async fn while_away(
        &self,
        bench: &Bench,
        broker: &mut Kafka,
        users: &[User],
        pizzas: &[String],
        report: &Report,
    ) -> anyhow::Result<()> {
        let (mut down, mut up) = (vec![], vec![]);
        for _ in 0..bench.runs {
            broker.stop();
            down.push(self.commands_a_second(bench, users, pizzas).await?);
            broker.restart();
            self.caught_up().await?;
            up.push(self.commands_a_second(bench, users, pizzas).await?);
        }
        let baseline = Some(Baseline { value: median(up), unit: "commands/s_with_kafka" });
        let value = median(down);
        report.tell(&Figure { name: "kafka_down", value, unit: "commands/s", baseline, aim: Some(Aim::Ratio(1.0)) });
        Ok(())
    }

    async fn commands_a_second(&self, bench: &Bench, users: &[User], pizzas: &[String]) -> anyhow::Result<f64> {
        let (count, until) = (Arc::new(AtomicU64::new(0)), Instant::now() + Duration::from_secs(bench.seconds));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (client, user, pizzas, count) = (self.client.clone(), users[writer % users.len()].clone(), pizzas.to_vec(), count.clone());
            writers.spawn(async move {
                while Instant::now() < until {
                    let turn = count.fetch_add(1, Relaxed);
                    react(&client, &user, &pizzas[turn as usize % pizzas.len()], turn / pizzas.len() as u64).await?;
                }
                anyhow::Ok(())
            });
        }
        writers.join_all().await.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
        Ok(count.load(Relaxed) as f64 / bench.seconds as f64)
    }

    /// Of a relay and of a projector that are killed: how long until another one has done what is to be done.
    async fn takeovers(&mut self, bench: &Bench, users: &[User], pizzas: &[String], report: &Report) -> anyhow::Result<()> {
        let (mut relay, mut projector) = (vec![], vec![]);
        for turn in 0..u64::from(bench.runs.min(3)) {
            self.relays.push(self.place.start("relay")?.0);
            self.write(users, pizzas, turn * 2).await?;
            self.caught_up().await?;
            drop(self.relays.remove(0));
            let killed = Instant::now();
            self.write(users, pizzas, turn * 2 + 1).await?;
            self.caught_up().await?;
            relay.push(killed.elapsed().as_secs_f64());

            self.projectors.push(self.place.start("projector")?.0);
            tokio::time::sleep(Duration::from_secs(SESSION_TIMEOUT)).await;
            self.write(users, pizzas, turn * 2).await?;
            self.caught_up().await?;
            drop(self.projectors.remove(0));
            let killed = Instant::now();
            self.write(users, pizzas, turn * 2 + 1).await?;
            self.caught_up().await?;
            projector.push(killed.elapsed().as_secs_f64());
        }
        let told = [("relay_takeover", relay, 5.0), ("projector_takeover", projector, SESSION_TIMEOUT as f64 + 2.0)];
        for (name, values, most) in told {
            report.tell(&Figure { name, value: median(values), unit: "s", baseline: None, aim: Some(Aim::AtMost(most)) });
        }
        Ok(())
    }

    /// One command of each user.
    async fn write(&self, users: &[User], pizzas: &[String], turn: u64) -> anyhow::Result<()> {
        for user in users {
            react(&self.client, user, &pizzas[0], turn).await?;
        }
        Ok(())
    }

    /// Until all that the log holds can be read.
    async fn caught_up(&self) -> anyhow::Result<()> {
        let mut tokens = vec![];
        for partition in Partition::all() {
            tokens.push(format!("{}.{}.{}", self.log.epochs().current(), partition.number(), self.log.head(partition).await?));
        }
        let started = Instant::now();
        loop {
            let read = self.client.http.get(format!("{}/api/v1/pizzas", self.query_url)).header("Consistency-Token", tokens.join(", "));
            let read = self.client.http.execute(read.header("Prefer", "wait=30").build()?).await?;
            if read.status() != StatusCode::GATEWAY_TIMEOUT {
                return Ok(());
            }
            ensure!(started.elapsed() < LIMIT, "not caught up: {}", read.text().await?);
        }
    }
}

/// Likes and dislikes in turn; the answer is the token.
async fn react(client: &Client, user: &User, pizza: &str, turn: u64) -> anyhow::Result<String> {
    let body = json!({ "reaction": if turn.is_multiple_of(2) { "like" } else { "dislike" } });
    let sent = client.http.put(format!("{}{pizza}/reaction", client.url)).header(header::COOKIE, &user.cookie).json(&body);
    let answer = sent.send().await?;
    ensure!(answer.status().is_success(), "{}", answer.text().await?);
    Ok(answer.headers().get("Consistency-Token").context("no token")?.to_str()?.to_owned())
}
