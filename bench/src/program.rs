//! The measured program, as a child process in a folder of its own.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use reqwest::Method;
use serde_json::Value;
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::people::Client;

/// How long a start or an end may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a folding may take.
const FOLDED: Duration = Duration::from_secs(600);

/// A child process that says in a line of JSON where it listens; killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Lines of JSON that say something to us.
    said: Receiver<Value>,
}

impl Process {
    /// Starts it and waits for the line. What else it says goes to standard error.
    ///
    /// # Errors
    /// It cannot be started, or says nothing of the kind.
    pub fn start(command: &mut Command) -> anyhow::Result<(Self, Value)> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.with_context(|| format!("{name} cannot be started"))?;
        let lines = BufReader::new(child.stdout.take().context("a child's output is piped")?).lines();
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                match serde_json::from_str::<Value>(&line) {
                    // Nobody waits any more for one that was too slow.
                    Ok(parsed) if parsed["address"].is_string() || parsed["admin"].is_string() || parsed["batches"].is_u64() => {
                        drop(sender.send(parsed))
                    }
                    Ok(_) | Err(_) => eprintln!("{line}"),
                }
            }
        });
        let process = Self { child, said };
        let listens = process.said.recv_timeout(LIMIT).with_context(|| format!("{name} does not say where it listens"))?;
        Ok((process, listens))
    }

    /// A line of `/proc/<pid>/status` that is in kB, in MiB.
    ///
    /// # Errors
    /// There is no such line.
    pub fn mib(&self, key: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        Ok(kib.with_context(|| format!("/proc says nothing of {key}"))? / 1024.0)
    }

    /// Asks it to stop; the answer is what it says of its batches.
    ///
    /// # Errors
    /// It does not end, or says nothing of the kind.
    pub fn stop(mut self) -> anyhow::Result<Value> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(asked.success(), "it cannot be asked to stop");
        let told = self.said.recv_timeout(LIMIT).context("it does not say what it has done")?;
        self.child.wait()?;
        Ok(told)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running Tizza with data of its own.
#[derive(Debug)]
pub struct Tizza {
    /// Its process.
    pub process: Process,
    /// Talks to it.
    pub client: Client,
    /// From its start until it answered `/livez`.
    pub started_in: Duration,
    admin_url: String,
    folder: TempDir,
}

impl Tizza {
    /// Starts one with nothing in it. Its request lines are not logged: nobody would read them.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start(binary: &Path) -> anyhow::Result<Self> {
        Self::start_in(binary, None).await
    }

    /// The same, with all stores in a database of Postgres.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_in(binary: &Path, database: Option<&str>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let http = reqwest::Client::new();
        let mut command = Command::new(binary);
        command.env_clear().env("DATA_DIR", folder.path()).env("HTTP_PORT", "0").env("ADMIN_PORT", "0");
        for (setting, url) in ["LOG_URL", "KEYS_URL", "IDENTITY_URL", "READ_URL"].into_iter().zip(std::iter::repeat(database)) {
            command.envs(url.map(|url| (setting, url)));
        }
        command.env("LOG_FORMAT", "json").env("LOG_LEVEL", "warn,tizza=info");
        let started = Instant::now();
        let (process, listens) = Process::start(&mut command)?;
        let (url, admin_url) = (url(&listens, "address")?, url(&listens, "admin")?);
        http.get(format!("{admin_url}/livez")).send().await?.error_for_status()?;
        Ok(Self { process, client: Client { http, url }, started_in: started.elapsed(), admin_url, folder })
    }

    /// Waits until everything that happened can be read.
    ///
    /// # Errors
    /// It takes too long.
    pub async fn folded(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let asked = self.client.http.get(format!("{}/readyz", self.admin_url)).send().await?;
            let ready: Value = asked.error_for_status()?.json().await?;
            let lags = ready["lag_events"].as_object().context("readyz tells no lags")?;
            if lags.values().all(|lag| *lag == 0) {
                return Ok(());
            }
            ensure!(started.elapsed() < FOLDED, "not folded after {FOLDED:?}: {ready}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Somebody who operates it.
    ///
    /// # Errors
    /// It does not say how.
    pub fn operator(&self) -> anyhow::Result<Operator> {
        let run: Value = serde_json::from_str(&std::fs::read_to_string(self.folder.path().join("run"))?)?;
        let token = run["token"].as_str().context("no token in its file `run`")?.to_owned();
        Ok(Operator { http: self.client.http.clone(), url: format!("{}/api/v1/operations", self.admin_url), token })
    }

    /// How many events there are.
    ///
    /// # Errors
    /// The database's own.
    pub async fn events(&self) -> anyhow::Result<u64> {
        let log = SqlitePool::connect_with(SqliteConnectOptions::new().filename(self.folder.path().join("log.db")).read_only(true)).await?;
        let events: i64 = sqlx::query_scalar("select sum(position) from heads").fetch_one(&log).await?;
        log.close().await;
        Ok(events.try_into()?)
    }

    /// Its data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of its read store.
    pub fn read_store(&self) -> PathBuf {
        self.folder.path().join("read.db")
    }
}

/// Has projections rebuilt, and generations swapped.
#[derive(Clone, Debug)]
pub struct Operator {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Operator {
    /// Has something done.
    ///
    /// # Errors
    /// It was refused.
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let answer = self.http.request(method, format!("{}/{path}", self.url)).bearer_auth(&self.token).json(&body).send().await?;
        let status = answer.status();
        let told: Value = answer.json().await.unwrap_or_default();
        ensure!(status.is_success(), "{path}: {status} {told}");
        Ok(told)
    }

    /// Has something done that takes a while, and waits for it; the answer is the job.
    ///
    /// # Errors
    /// It was refused, or not done.
    pub async fn job(&self, kind: &str, body: Value) -> anyhow::Result<Value> {
        let job = self.ask(Method::POST, kind, body).await?;
        let path = format!("{kind}/{}", job["id"].as_str().context("a job without id")?);
        loop {
            let job = self.ask(Method::GET, &path, Value::Null).await?;
            match job["state"].as_str() {
                Some("running") => tokio::time::sleep(Duration::from_millis(20)).await,
                Some("done") => return Ok(job),
                _ => bail!("{path}: {job}"),
            }
        }
    }
}

/// Where a program listens, as its line says.
///
/// # Errors
/// It does not say.
pub fn url(listens: &Value, key: &str) -> anyhow::Result<String> {
    Ok(format!("http://{}", listens[key].as_str().context("no address in its log line")?))
}
