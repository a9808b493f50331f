//! A job, watched to its end. It goes on by itself, whoever watches.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use projector::operations::ProjectionStatus;
use read_store::jobs::{Job, Kind, Phase, State};
use reqwest::{Method, Url};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    client::{Client, refused},
    target::Target,
    told::{doing, far},
};
use crate::progress;

/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(250);
/// How often that is said where nobody sees a bar.
const SAY: Duration = Duration::from_secs(10);
/// How long a Tizza that is away may stay so: it may be about to be started again.
const AWAY: Duration = Duration::from_secs(60);

/// Who watches a job.
pub struct Following<'a> {
    pub target: &'a Target,
    pub client: Client,
    /// Cancelled by Ctrl-C.
    pub interrupted: &'a CancellationToken,
}

/// What was said last.
struct Said {
    bar: Option<ProgressBar>,
    phase: Option<Phase>,
    at: Instant,
}

impl Following<'_> {
    /// Watches a job until it has ended, or is paused. Ctrl-C has it paused, a verification dropped.
    pub async fn until_it_ends(&mut self, mut job: Job) -> anyhow::Result<Job> {
        let bar = std::io::stderr().is_terminal().then(progress::told);
        let mut said = Said { bar, phase: None, at: Instant::now() };
        let mut asked = false;
        while job.state == State::Running {
            said.say(&job);
            if self.interrupted.is_cancelled() && !asked {
                asked = true;
                self.leave(&job).await?;
            }
            let interrupted = async { if asked { std::future::pending().await } else { self.interrupted.cancelled().await } };
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = interrupted => {}
            }
            job = self.look(&job).await?;
        }
        if let Some(bar) = said.bar {
            bar.finish_and_clear();
        }
        Ok(job)
    }

    /// How a projection is.
    pub async fn status(&self, projection: &str) -> anyhow::Result<ProjectionStatus> {
        self.client.get(self.client.at(&["projections", projection])).await
    }

    /// Has a job dropped, and waits until what it has made is gone.
    pub async fn dropped(&mut self, job: Job) -> anyhow::Result<()> {
        self.client.does(Method::DELETE, self.place(&job), &json!({})).await?;
        let mut now = job.clone();
        while matches!(now.state, State::Running | State::Paused) {
            tokio::time::sleep(LOOK).await;
            now = self.look(&job).await?;
        }
        Ok(())
    }

    /// Where a job is looked at.
    fn place(&self, job: &Job) -> Url {
        let kind = if job.kind == Kind::Verify { "verifications" } else { "rebuilds" };
        self.client.at(&[kind, &job.id.to_string()])
    }

    async fn leave(&self, job: &Job) -> anyhow::Result<()> {
        if job.kind == Kind::Verify {
            return self.client.does(Method::DELETE, self.place(job), &json!({})).await;
        }
        self.client.does(Method::POST, self.client.at(&["rebuilds", &job.id.to_string(), "pause"]), &json!({})).await
    }

    /// How it is now. A Tizza that is started again has another token, and may have another address.
    async fn look(&mut self, job: &Job) -> anyhow::Result<Job> {
        let deadline = Instant::now() + AWAY;
        loop {
            let error = match self.client.get(self.place(job)).await {
                Ok(job) => return Ok(job),
                Err(error) => error,
            };
            if Instant::now() > deadline || self.interrupted.is_cancelled() || !refused(&error).is_some_and(|refused| refused.passes()) {
                return Err(error);
            }
            tokio::time::sleep(LOOK).await;
            if let Ok(client) = self.target.client() {
                self.client = client;
            }
        }
    }
}

impl Said {
    fn say(&mut self, job: &Job) {
        let phase = job.progress.phase;
        if let Some(bar) = &self.bar {
            bar.set_length(job.progress.events.unsigned_abs());
            bar.set_position(job.progress.folded.unsigned_abs());
            let rate = job.progress.events_per_second;
            let left = job.progress.seconds_left.map(|left| format!(", {left:.0} s left")).unwrap_or_default();
            let fast = if rate > 0.0 { format!(", {rate:.0} a second{left}") } else { String::new() };
            bar.set_message(format!("{} {}{fast}", job.projection, doing(phase)));
            return;
        }
        if self.phase != Some(phase) || self.at.elapsed() > SAY {
            (self.phase, self.at) = (Some(phase), Instant::now());
            // A closed standard error is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{}: {}", job.projection, far(job));
        }
    }
}
