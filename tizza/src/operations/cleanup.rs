//! Dropping tables that are of no use any more.

use std::{io::Write, time::Duration};

use clap::Args;
use projector::operations::Cleaned;
use serde_json::json;

use super::target::Target;

/// What is dropped.
#[derive(Args, Debug)]
pub struct Config {
    /// Tables that have not been live for so long
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration)]
    older_than: Duration,
    /// A copy, by its name; may be repeated
    #[arg(long = "copy", value_name = "NAME")]
    copies: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Config {
    /// Prints the tables that are gone.
    pub async fn run(self) -> anyhow::Result<()> {
        let body = json!({ "older_than_s": self.older_than.as_secs(), "copies": self.copies });
        let client = self.target.client()?;
        let Cleaned { tables } = client.post(client.at(&["cleanups"]), &body).await?;
        if tables.is_empty() {
            eprintln!("there is nothing to drop");
        }
        let mut out = std::io::stdout().lock();
        for table in tables {
            writeln!(out, "{table}")?;
        }
        Ok(())
    }
}
