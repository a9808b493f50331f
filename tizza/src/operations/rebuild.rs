//! New tables for a projection, while everything runs; or tables of what it was once.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use projector::operations::ProjectionStatus;
use read_store::jobs::{Job, Kind, Outcome, Phase, State};
use serde::Deserialize;
use serde_json::{Value, json};
use service_kit::shutdown::on_signals;

use super::{
    following::Following,
    target::Target,
    told::{compared, differences, far},
};

/// What is rebuilt, and how.
#[derive(Args, Debug)]
pub struct Config {
    /// The projections, one after the other: see `tizza projections`
    #[arg(required_unless_present = "all")]
    projection: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "projection")]
    all: bool,
    /// Stop before the swap, and show what it would change; the same without --dry-run swaps
    #[arg(long)]
    dry_run: bool,
    /// Swap also where the new tables lack events that are parked, and the live ones have them
    #[arg(long)]
    force: bool,
    /// Drop a rebuild that runs or is paused, with all that it has made
    #[arg(long, conflicts_with_all = ["dry_run", "force", "until"])]
    abort: bool,
    /// A copy of the view as it was then, instead: a time (RFC 3339), or consistency tokens with commas between them
    #[arg(long, value_name = "TIME|TOKENS", requires = "into", conflicts_with_all = ["dry_run", "force"])]
    until: Option<String>,
    /// The copy's name: its tables are called by the view's and this, e.g. pizzas_before
    #[arg(long, value_name = "NAME", requires = "until")]
    into: Option<String>,
    /// One JSON object a projection: the job when it has ended
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Deserialize)]
struct All {
    results: Vec<ProjectionStatus>,
}

impl Config {
    /// Rebuilds one after the other.
    pub async fn run(self) -> anyhow::Result<()> {
        service_kit::telemetry::on_stderr();
        let interrupted = on_signals()?;
        let mut following = Following { target: &self.target, client: self.target.client()?, interrupted: &interrupted };
        let projections = if self.all {
            let All { results } = following.client.get(following.client.at(&["projections"])).await?;
            results.into_iter().map(|status| status.projection).collect()
        } else {
            self.projection.clone()
        };
        for projection in &projections {
            if self.abort {
                self.drop_open(&mut following, projection).await?;
                continue;
            }
            let job = self.begun(&following, projection).await?;
            let job = following.until_it_ends(job).await?;
            self.tell(&job)?;
        }
        Ok(())
    }

    async fn drop_open(&self, following: &mut Following<'_>, projection: &str) -> anyhow::Result<()> {
        let status = following.status(projection).await?;
        match status.job {
            Some(job) if matches!(job.kind, Kind::Rebuild | Kind::Copy) => {
                following.dropped(job).await?;
                eprintln!("{projection}: dropped; the live tables are as they were");
            }
            Some(job) => bail!("{projection}: {}", far(&job)),
            None if self.all => {}
            None => bail!("{projection}: nothing is being rebuilt"),
        }
        Ok(())
    }

    /// One that is paused goes on, another begins.
    async fn begun(&self, following: &Following<'_>, projection: &str) -> anyhow::Result<Job> {
        let client = &following.client;
        let status = following.status(projection).await?;
        let Some(job) = status.job else { return client.post(client.at(&["rebuilds"]), &self.asked(projection)).await };
        let same = if self.into.is_some() { job.kind == Kind::Copy && job.request.into == self.into } else { job.kind == Kind::Rebuild };
        if job.state != State::Paused || !same {
            bail!("{projection} has a job that is not over: {} (since {})", far(&job), job.started_at.format("%Y-%m-%d %H:%M:%S UTC"));
        }
        eprintln!("{projection}: a paused job goes on");
        let mut resume = client.at(&["rebuilds", &job.id.to_string(), "resume"]);
        if self.into.is_none() {
            let how = [("dry_run", self.dry_run.to_string()), ("force", self.force.to_string())];
            resume.query_pairs_mut().extend_pairs(how);
        }
        client.post(resume, &json!({})).await
    }

    fn asked(&self, projection: &str) -> Value {
        json!({ "projection": projection, "dry_run": self.dry_run, "force": self.force, "until": self.until, "into": self.into })
    }

    fn tell(&self, job: &Job) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(job)?)?;
        } else if let Some(outcome) = &job.outcome {
            tell(&mut out, job, outcome)?;
        }
        let name = &job.projection;
        let why = job.outcome.as_ref().and_then(|outcome| outcome.error.as_deref());
        match (job.state, why) {
            (State::Done, _) => Ok(()),
            (State::Paused, Some(why)) => bail!("{name} is rebuilt and not swapped in: {why}"),
            (State::Paused, None) if is_tried(job) => Ok(()),
            (State::Paused | State::Running, _) => bail!("{name} is paused: the same again goes on, --abort drops it"),
            (State::Aborted, _) => bail!("{name}: somebody has dropped it"),
            (State::Failed, why) => bail!("{name}: {}; the live tables are as they were", why.unwrap_or("it has failed")),
        }
    }
}

fn tell(out: &mut impl Write, job: &Job, outcome: &Outcome) -> anyhow::Result<()> {
    let name = &job.projection;
    if job.kind == Kind::Copy {
        for table in &outcome.tables {
            writeln!(out, "{table}")?;
        }
        return Ok(());
    }
    let done = match job.state {
        State::Done if outcome.swapped => " is rebuilt and swapped in: ",
        State::Paused if is_tried(job) => {
            " is rebuilt and not swapped in, for that was a dry run: without --dry-run it is, --abort drops it: "
        }
        State::Done | State::Paused | State::Running | State::Failed | State::Aborted => ": ",
    };
    writeln!(out, "{name}{done}{}", compared(outcome))?;
    Ok(differences(out, outcome, ["new", "live before"])?)
}

/// Whether it is a dry run that has come to its end.
fn is_tried(job: &Job) -> bool {
    let error = job.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
    job.request.dry_run && job.progress.phase == Phase::Swapping && error.is_none()
}
