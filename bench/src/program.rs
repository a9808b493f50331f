//! The measured program, as a child process in a folder of its own.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::Value;
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

/// How long a start may take.
const STARTED: Duration = Duration::from_secs(30);
/// How long a folding may take.
const FOLDED: Duration = Duration::from_secs(600);

/// A child process that says in a line of JSON where it listens; killed when it is dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it and waits for the line. What it says later goes to standard error.
    ///
    /// # Errors
    /// It cannot be started, or says nothing of the kind.
    pub fn start(command: &mut Command) -> anyhow::Result<(Self, Value)> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = Self(child.with_context(|| format!("{name} cannot be started"))?);
        let lines = BufReader::new(process.0.stdout.take().context("a child's output is piped")?).lines();
        let (sender, listens) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                match serde_json::from_str::<Value>(&line) {
                    // Nobody waits any more for one that was too slow.
                    Ok(parsed) if parsed["address"].is_string() => drop(sender.send(parsed)),
                    Ok(_) | Err(_) => eprintln!("{line}"),
                }
            }
        });
        let listens = listens.recv_timeout(STARTED).with_context(|| format!("{name} does not say where it listens"))?;
        Ok((process, listens))
    }

    /// A line of `/proc/<pid>/status` that is in kB, in MiB.
    ///
    /// # Errors
    /// There is no such line.
    pub fn mib(&self, key: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        Ok(kib.with_context(|| format!("/proc says nothing of {key}"))? / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running Tizza with data of its own.
#[derive(Debug)]
pub struct Tizza {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub url: String,
    /// From its start until it answered `/livez`.
    pub started_in: Duration,
    /// For all requests that are not measured.
    pub http: reqwest::Client,
    admin_url: String,
    folder: TempDir,
}

impl Tizza {
    /// Starts one with nothing in it. Its request lines are not logged: nobody would read them.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start(binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let http = reqwest::Client::new();
        let mut command = Command::new(binary);
        command.env_clear().env("DATA_DIR", folder.path()).env("HTTP_PORT", "0").env("ADMIN_PORT", "0");
        command.env("LOG_FORMAT", "json").env("LOG_LEVEL", "warn,tizza=info");
        let started = Instant::now();
        let (process, listens) = Process::start(&mut command)?;
        let url = |key: &str| listens[key].as_str().map(|address| format!("http://{address}")).context("no address in its log line");
        let (url, admin_url) = (url("address")?, url("admin")?);
        http.get(format!("{admin_url}/livez")).send().await?.error_for_status()?;
        Ok(Self { process, url, started_in: started.elapsed(), http, admin_url, folder })
    }

    /// Waits until everything that happened can be read.
    ///
    /// # Errors
    /// It takes too long.
    pub async fn folded(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let ready: Value = self.http.get(format!("{}/readyz", self.admin_url)).send().await?.error_for_status()?.json().await?;
            let lags = ready["lag_events"].as_object().context("readyz tells no lags")?;
            if lags.values().all(|lag| *lag == 0) {
                return Ok(());
            }
            ensure!(started.elapsed() < FOLDED, "not folded after {FOLDED:?}: {ready}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
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
