//! wrk, the load generator: its scripts, running it, and what it says.

use std::{
    fmt::Display,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use tokio::process::Command;

/// How many connections, unless a figure is about that.
pub const CONNECTIONS: u16 = 64;
/// How many threads send, at most.
const THREADS: u16 = 2;

/// What wrk sends.
#[derive(Clone, Copy, Debug)]
pub enum Script {
    /// Reactions: a file of cookies, a file of paths.
    Likes,
    /// GET: a file of paths.
    Paths,
    /// New titles for one pizza: a file with a cookie, a file with a path.
    Titles,
}

impl Script {
    const ALL: [Self; 3] = [Self::Likes, Self::Paths, Self::Titles];

    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Likes => ("likes.lua", include_str!("../lua/likes.lua")),
            Self::Paths => ("paths.lua", include_str!("../lua/paths.lua")),
            Self::Titles => ("titles.lua", include_str!("../lua/titles.lua")),
        }
    }
}

/// wrk, and a folder for what its scripts read.
#[derive(Debug)]
pub struct Wrk {
    folder: TempDir,
    seconds: u64,
}

/// What is sent, where to and by how many.
#[derive(Clone, Copy, Debug)]
pub struct Requests<'a> {
    /// What.
    pub script: Script,
    /// What the script reads.
    pub files: &'a [&'a Path],
    /// Where to.
    pub url: &'a str,
    /// Who, if the script does not tell.
    pub cookie: Option<&'a str>,
    /// How many connections.
    pub connections: u16,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Requests that were answered.
    pub answered: u64,
    /// The same, a second.
    pub per_second: f64,
}

impl Wrk {
    /// wrk, for runs of some seconds.
    ///
    /// # Errors
    /// It is not installed.
    pub async fn new(seconds: u64) -> anyhow::Result<Self> {
        match Command::new("wrk").arg("--version").output().await {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!("wrk is missing: install it with `apt-get install wrk`"),
            found => found.context("wrk cannot be run")?,
        };
        let folder = tempfile::tempdir()?;
        for (name, text) in Script::ALL.map(Script::file) {
            std::fs::write(folder.path().join(name), text)?;
        }
        Ok(Self { folder, seconds })
    }

    /// A file for a script, a line each.
    ///
    /// # Errors
    /// The file's own.
    pub fn file(&self, name: &str, lines: impl IntoIterator<Item = impl Display>) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(name);
        let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Sends for the time of a run.
    ///
    /// # Errors
    /// A request was not answered, or with an error.
    pub async fn run(&self, requests: Requests<'_>) -> anyhow::Result<Load> {
        let Requests { script, files, url, cookie, connections } = requests;
        let threads = connections.min(THREADS);
        let mut command = Command::new("wrk");
        command.arg(format!("-t{threads}")).arg(format!("-c{connections}")).arg(format!("-d{}s", self.seconds));
        command.arg("-s").arg(self.folder.path().join(script.file().0));
        if let Some(cookie) = cookie {
            command.arg("-H").arg(format!("Cookie: {cookie}"));
        }
        command.arg(url).arg("--").args(files).arg(threads.to_string()).kill_on_drop(true);
        let output = command.output().await?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk failed: {said}{}", String::from_utf8_lossy(&output.stderr));
        read(&said)
    }
}

/// Reads what wrk says; it speaks of errors only when there were some.
fn read(said: &str) -> anyhow::Result<Load> {
    let starting = |start: &str| said.lines().map(str::trim).find_map(|line| line.strip_prefix(start));
    if let Some(errors) = starting("Socket errors:") {
        bail!("not every request was answered:{errors}");
    }
    if let Some(errors) = starting("Non-2xx or 3xx responses:") {
        bail!("answered with errors:{errors} of\n{said}");
    }
    let answered = said.lines().find_map(|line| line.trim().split_once(" requests in "));
    let answered = answered.and_then(|(number, _)| number.parse().ok());
    let per_second = starting("Requests/sec:").and_then(|number| number.trim().parse().ok());
    match (answered, per_second) {
        (Some(answered), Some(per_second)) if answered > 0 => Ok(Load { answered, per_second }),
        _ => bail!("wrk says something else than expected:\n{said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Running 1s test @ http://127.0.0.1:8080
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     8.01ms    2.34ms  30.00ms   70.00%
    Req/Sec     4.00k   300.00     4.80k    75.00%
  7970 requests in 1.00s, 5.20MB read
Requests/sec:   7965.25
Transfer/sec:      5.20MB
";

    #[test]
    fn a_run_is_read() {
        assert_eq!(read(SAID).unwrap(), Load { answered: 7_970, per_second: 7_965.25 });
    }

    #[test]
    fn a_run_with_errors_is_none() {
        assert!(read(&SAID.replace("Requests/sec", "  Non-2xx or 3xx responses: 3\nRequests/sec")).is_err());
        let timeouts = "  Socket errors: connect 0, read 0, write 0, timeout 7\nRequests/sec";
        assert!(read(&SAID.replace("Requests/sec", timeouts)).is_err());
        assert!(read("").is_err());
        assert!(read(&SAID.replace("7970 requests", "0 requests")).is_err());
    }
}
