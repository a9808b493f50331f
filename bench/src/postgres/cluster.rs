//! A cluster of Postgres that waits for the disk, and the baseline: pgbench, with one insert a transaction, on that same cluster.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, bail, ensure};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use test_servers::{Options, Postgres};
use tokio::process::Command;

/// About as much as a like takes in the log.
const ROW: usize = 300;
/// As many as there are processors where this is measured.
const THREADS: u16 = 2;

/// A cluster of our own, with nothing set but where it is and how many may connect.
#[derive(Debug)]
pub struct Cluster {
    server: Postgres,
    /// Of the database where pgbench inserts.
    baseline: String,
    script: PathBuf,
    seconds: u64,
    _scripts: TempDir,
}

impl Cluster {
    /// Makes one in `folder`, for runs of some seconds.
    ///
    /// # Errors
    /// There is no Postgres, or the folder is in memory.
    pub async fn start(folder: &Path, seconds: u64) -> anyhow::Result<Self> {
        let kind = Command::new("stat").args(["--file-system", "--format=%T"]).arg(folder).output().await?.stdout;
        let kind = String::from_utf8_lossy(&kind).trim().to_owned();
        ensure!(kind != "tmpfs", "{} is in memory: name a folder on a disk with --folder", folder.display());
        let server = Postgres::start(Options { fsync: true, folder: Some(folder), settings: &[("max_connections", "300")] })
            .map_err(|missing| anyhow::anyhow!("{missing}"))?;
        let baseline = server.new_database();
        let mut db = PgConnection::connect(&baseline).await?;
        sqlx::query("create table baseline (id bigserial primary key, row text not null)").execute(&mut db).await?;
        let (version, fsync, commit): (String, String, String) =
            sqlx::query_as("select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')")
                .fetch_one(&mut db)
                .await?;
        db.close().await?;
        ensure!(fsync == "on" && commit == "on", "this Postgres does not wait for the disk");
        eprintln!("postgres: {version}, on {kind} at {}, fsync {fsync}, synchronous_commit {commit}", folder.display());
        let scripts = tempfile::tempdir()?;
        let script = scripts.path().join("insert.sql");
        std::fs::write(&script, format!("insert into baseline (row) values ('{}');\n", "x".repeat(ROW)))?;
        Ok(Self { server, baseline, script, seconds, _scripts: scripts })
    }

    /// The URL of a new, empty database.
    pub fn new_database(&self) -> String {
        self.server.new_database()
    }

    /// How many rows a second so many clients insert, each in a transaction of its own.
    ///
    /// # Errors
    /// pgbench is missing, or fails.
    pub async fn inserts(&self, clients: u16) -> anyhow::Result<f64> {
        let pgbench = self.server.bin().join("pgbench");
        let mut command = Command::new(&pgbench);
        command.args(["--no-vacuum", "--protocol=prepared"]).arg("--file").arg(&self.script);
        command.arg(format!("--client={clients}")).arg(format!("--jobs={}", clients.min(THREADS))).arg(format!("--time={}", self.seconds));
        let output = command.arg(&self.baseline).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("{} cannot be run", pgbench.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench failed: {said}{}", String::from_utf8_lossy(&output.stderr));
        read(&said)
    }
}

/// Reads what pgbench says.
fn read(said: &str) -> anyhow::Result<f64> {
    let starting = |start: &str| said.lines().find_map(|line| line.strip_prefix(start)?.split_whitespace().next());
    match (starting("number of failed transactions:"), starting("tps =").and_then(|number| number.parse().ok())) {
        (None | Some("0"), Some(per_second)) => Ok(per_second),
        _ => bail!("pgbench says something else than expected:\n{said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "number of transactions actually processed: 4012
number of failed transactions: 0 (0.000%)
latency average = 7.9 ms
tps = 4012.250000 (without initial connection time)
";

    #[test]
    fn a_run_is_read() {
        assert_eq!(read(SAID).unwrap(), 4012.25);
    }

    #[test]
    fn a_run_with_failures_is_none() {
        assert!(read(&SAID.replace(": 0 (", ": 3 (")).is_err());
        assert!(read("").is_err());
    }
}
