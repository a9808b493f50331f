//! Back to the tables that were live before.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use projector::operations::ProjectionStatus;
use serde_json::json;

use super::target::Target;

/// What is rolled back.
#[derive(Args, Debug)]
pub struct Config {
    /// The projection: see `tizza projections`
    projection: String,
    /// Also where the old tables lack events that are parked, and the live ones have them
    #[arg(long)]
    force: bool,
    /// A JSON object: how the projection is then
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Config {
    /// Has the old tables read again.
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.target.client()?;
        let mut back = client.at(&["projections", &self.projection, "rollback"]);
        back.query_pairs_mut().append_pair("force", &self.force.to_string());
        let status: ProjectionStatus = client.post(back, &json!({})).await?;
        let mut out = std::io::stdout().lock();
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string(&status)?)?);
        }
        let live = status.generations.iter().find(|one| one.state == "live").context("nothing is live now")?;
        Ok(writeln!(out, "{}: generation {} is live again", self.projection, live.generation)?)
    }
}
