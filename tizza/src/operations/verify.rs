//! Whether the live rows are what the log says.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use read_store::jobs::{Job, State};
use serde_json::json;
use service_kit::shutdown::on_signals;

use super::{
    following::Following,
    target::Target,
    told::{compared, differences},
};

/// What is verified.
#[derive(Args, Debug)]
pub struct Config {
    /// The projection: see `tizza projections`
    projection: String,
    /// One JSON object: the job when it has ended
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Config {
    /// Waits for it; an error if a row differs.
    pub async fn run(self) -> anyhow::Result<()> {
        service_kit::telemetry::on_stderr();
        let interrupted = on_signals()?;
        let mut following = Following { target: &self.target, client: self.target.client()?, interrupted: &interrupted };
        let job = following.client.post(following.client.at(&["verifications"]), &json!({ "projection": self.projection })).await?;
        self.tell(&following.until_it_ends(job).await?)
    }

    fn tell(&self, job: &Job) -> anyhow::Result<()> {
        let (name, outcome) = (&self.projection, job.outcome.clone().unwrap_or_default());
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(job)?)?;
        }
        match job.state {
            State::Done => {}
            State::Aborted => bail!("{name}: the verification was dropped"),
            State::Failed | State::Paused | State::Running => {
                bail!("{name}: {}", outcome.error.as_deref().unwrap_or("it was not verified"))
            }
        }
        if !self.json {
            writeln!(out, "{name}: {}", compared(&outcome))?;
            differences(&mut out, &outcome, ["in the log", "live"])?;
        }
        if outcome.differences.is_empty() { Ok(()) } else { bail!("{name}: the live rows are not what the log says") }
    }
}
