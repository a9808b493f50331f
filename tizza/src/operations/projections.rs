//! How projections are.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use clap::Args;
use indicatif::HumanBytes;
use projector::operations::{GenerationStatus, ProjectionStatus};
use serde::Deserialize;
use service_kit::shutdown::on_signals;

use super::{client::Client, lines::columns, target::Target, told::far};

/// How often it is looked.
const AGAIN: Duration = Duration::from_secs(1);

/// How they are told.
#[derive(Args, Debug)]
pub struct Config {
    /// A JSON array
    #[arg(long)]
    json: bool,
    /// Again every second, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Deserialize)]
struct Told {
    results: Vec<ProjectionStatus>,
}

impl Config {
    /// Prints how all of them are.
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.target.client()?;
        if !self.watch {
            return self.print(&client).await;
        }
        service_kit::telemetry::on_stderr();
        let shutdown = on_signals()?;
        let watching = async {
            loop {
                self.print(&client).await?;
                tokio::time::sleep(AGAIN).await;
            }
        };
        shutdown.run_until_cancelled(watching).await.unwrap_or(Ok(()))
    }

    async fn print(&self, client: &Client) -> anyhow::Result<()> {
        let Told { results } = client.get(client.at(&["projections"])).await?;
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&results)?)?;
            return Ok(());
        }
        if self.watch && out.is_terminal() {
            // To the upper left corner, and clear.
            write!(out, "\x1b[H\x1b[2J")?;
        }
        let rows: Vec<_> = results.iter().flat_map(|status| status.generations.iter().map(|one| row(status, one))).collect();
        let names = ["projection", "version", "generation", "state", "position", "behind", "seconds", "parked", "size"];
        columns(&mut out, names, &["version", "generation", "position", "behind", "seconds", "parked", "size"], &rows)?;
        for job in results.iter().filter_map(|status| status.job.as_ref()) {
            writeln!(out, "{}: {}", job.projection, far(job))?;
        }
        Ok(out.flush()?)
    }
}

fn row(status: &ProjectionStatus, one: &GenerationStatus) -> [String; 9] {
    let GenerationStatus { generation, version, state, name, position, lag_events, lag_seconds, parked, bytes, .. } = one;
    [
        status.projection.clone(),
        version.to_string(),
        generation.to_string(),
        name.as_ref().map_or_else(|| state.clone(), |name| format!("{state} {name}")),
        position.to_string(),
        lag_events.to_string(),
        format!("{lag_seconds:.1}"),
        parked.to_string(),
        HumanBytes(bytes.unsigned_abs()).to_string(),
    ]
}
