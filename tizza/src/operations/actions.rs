//! Who changed what.

use std::io::Write;

use clap::Args;
use event_log::OperatorAction;
use serde::Deserialize;

use super::{lines::columns, target::Target};

/// How they are told.
#[derive(Args, Debug)]
pub struct Config {
    /// How many, of the newest, 1-1000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Deserialize)]
struct Told {
    results: Vec<OperatorAction>,
}

impl Config {
    /// Prints them, newest first.
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.target.client()?;
        let mut actions = client.at(&["actions"]);
        actions.query_pairs_mut().append_pair("limit", &self.limit.to_string());
        let Told { results } = client.get(actions).await?;
        let mut out = std::io::stdout().lock();
        if self.json {
            for action in results {
                writeln!(out, "{}", serde_json::to_string(&action)?)?;
            }
            return Ok(());
        }
        let row = |action: OperatorAction| {
            let at = action.at.format("%Y-%m-%d %H:%M:%S").to_string();
            [at, action.operator, action.address.unwrap_or_default(), action.action, action.details.to_string()]
        };
        let rows: Vec<_> = results.into_iter().map(row).collect();
        Ok(columns(&mut out, ["at", "operator", "from", "action", "details"], &[], &rows)?)
    }
}
