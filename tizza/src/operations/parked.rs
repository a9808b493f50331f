//! Events that could not be folded.

use std::io::Write;

use clap::{Args, Subcommand};
use projector::operations::{Parked, Retried};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{lines::columns, target::Target};

/// What is done with them.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print what is parked
    List(List),
    /// Print one parked event; the event itself: `tizza log show` with its stream
    Show(One),
    /// Fold what is parked of its stream, from its first event on, as far as that is possible now
    Retry(One),
    /// Give up on an event, for good, and fold what waits behind it
    Skip(Skip),
}

/// Of which projection.
#[derive(Args, Debug)]
pub struct List {
    /// Only of this projection
    projection: Option<String>,
    /// How many, 1-1000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Which one.
#[derive(Args, Debug)]
pub struct One {
    /// As `tizza parked list` names it: by projection, generation, partition and position, e.g. reactions.1.11.42
    id: String,
    /// A JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Which one, and why.
#[derive(Args, Debug)]
pub struct Skip {
    /// As `tizza parked list` names it: by projection, generation, partition and position, e.g. reactions.1.11.42
    id: String,
    /// Why, for whoever looks at `tizza actions` later
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Deserialize)]
struct Told {
    count: i64,
    results: Vec<Parked>,
}

impl Command {
    /// Does what was asked for.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(one) => one.show().await,
            Self::Retry(one) => one.retry().await,
            Self::Skip(skip) => skip.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let client = self.target.client()?;
        let mut parked = client.at(&["parked"]);
        parked.query_pairs_mut().append_pair("limit", &self.limit.to_string());
        if let Some(projection) = &self.projection {
            parked.query_pairs_mut().append_pair("projection", projection);
        }
        let Told { count, results } = client.get(parked).await?;
        let (mut out, more) = (std::io::stdout().lock(), count - results.len() as i64);
        if self.json {
            for parked in &results {
                writeln!(out, "{}", serde_json::to_string(parked)?)?;
            }
        } else {
            let rows: Vec<_> = results.into_iter().map(row).collect();
            columns(&mut out, ["id", "type", "stream", "since", "reason"], &[], &rows)?;
        }
        if count == 0 {
            eprintln!("nothing is parked");
        }
        if more > 0 {
            eprintln!("{more} more are parked: --limit");
        }
        Ok(())
    }
}

fn row(parked: Parked) -> [String; 5] {
    let since = parked.parked_at.format("%Y-%m-%d %H:%M:%S").to_string();
    let reason = parked.reason.unwrap_or_else(|| "waits behind another of its stream".into());
    [parked.id, parked.event_type, parked.stream_id.to_string(), since, reason]
}

impl One {
    async fn show(self) -> anyhow::Result<()> {
        let client = self.target.client()?;
        let parked: Parked = client.get(client.at(&["parked", &self.id])).await?;
        let mut out = std::io::stdout().lock();
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string(&parked)?)?);
        }
        let [id, event_type, stream, since, reason] = row(parked);
        for (name, value) in [("id", id), ("type", event_type), ("stream", stream), ("since", since), ("reason", reason)] {
            writeln!(out, "{name:<8}{value}")?;
        }
        Ok(())
    }

    async fn retry(self) -> anyhow::Result<()> {
        let client = self.target.client()?;
        let retried: Retried = client.post(client.at(&["parked", &self.id, "retry"]), &json!({})).await?;
        if self.json {
            writeln!(std::io::stdout(), "{}", serde_json::to_string(&retried)?)?;
        } else {
            writeln!(std::io::stdout(), "{} events are folded, {} are still parked", retried.folded, retried.left)?;
        }
        anyhow::ensure!(retried.left == 0, "{} cannot be folded yet: `tizza parked show` says why", self.id);
        Ok(())
    }
}

impl Skip {
    async fn run(self) -> anyhow::Result<()> {
        let client = self.target.client()?;
        client.does(Method::DELETE, client.at(&["parked", &self.id]), &json!({ "reason": self.reason })).await?;
        eprintln!("{} is skipped", self.id);
        Ok(())
    }
}
