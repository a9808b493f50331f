//! The events behind one row.

use std::io::{StdoutLock, Write};

use anyhow::{Context, bail};
use clap::Args;
use projector::explain::{Became, Changed, ColumnChange, Passed, Place, Told};
use serde_json::Value;

use super::target::Target;
use crate::log::envelope::by;

/// Which row.
#[derive(Args, Debug)]
pub struct Config {
    /// The projection: see `tizza projections`
    projection: String,
    /// The values of the row's key, with commas between them, e.g. the id of a user and of a pizza
    key: String,
    /// Only in this table, where several have such keys
    #[arg(long)]
    table: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Config {
    /// Prints events as they are found: the whole log is looked through, one partition after the other.
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.target.client()?;
        let mut row = client.at(&["explanations"]);
        row.query_pairs_mut().append_pair("projection", &self.projection).append_pair("key", &self.key);
        if let Some(table) = &self.table {
            row.query_pairs_mut().append_pair("table", table);
        }
        let mut response = client.stream(row).await?;
        let mut out = std::io::stdout().lock();
        let (mut begun, mut end) = (vec![], None);
        while let Some(bytes) = response.chunk().await.map_err(reqwest::Error::without_url).context("the answer breaks off")? {
            begun.extend_from_slice(&bytes);
            while let Some(length) = begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = begun.drain(..=length).collect();
                end = self.print(&mut out, &line)?.or(end);
            }
            out.flush()?;
        }
        match end {
            Some(0) => bail!("no event that can still be read has changed a row with the key {}", self.key),
            Some(_) => Ok(()),
            None => bail!("the answer breaks off"),
        }
    }

    /// Prints a line. At the end the answer is how many changes there were.
    fn print(&self, out: &mut StdoutLock<'_>, line: &[u8]) -> anyhow::Result<Option<i64>> {
        let told: Told = serde_json::from_slice(line).context("the answer cannot be read: it is of another version")?;
        if self.json {
            out.write_all(line)?;
        }
        match told {
            Told::Changed(changed) if !self.json => changed_row(out, &changed)?,
            Told::Passed(Passed { event, reason }) if !self.json => eprintln!("{}: not folded: {reason}", event_line(&event)),
            Told::Changed(_) | Told::Passed(_) => {}
            Told::End { changes, .. } => return Ok(Some(changes)),
            Told::Failed { detail } => bail!("{detail}"),
        }
        Ok(None)
    }
}

fn event_line(event: &Place) -> String {
    let Place { partition, position, recorded_at, event_type, stream_id, version } = event;
    format!("{}  {partition}.{position}  {event_type}  {stream_id}@{version}", recorded_at.format("%Y-%m-%d %H:%M:%S"))
}

fn changed_row(out: &mut impl Write, Changed { event, actor, change }: &Changed) -> std::io::Result<()> {
    let became = match change.became {
        Became::Made => "made",
        Became::Changed => "changed",
        Became::Removed => "removed",
    };
    writeln!(out, "{}  by {}: {} {became}", event_line(event), by(actor), change.table)?;
    if change.became == Became::Removed {
        return Ok(());
    }
    change.columns.iter().try_for_each(|column| writeln!(out, "    {}", column_line(column)))
}

fn column_line(ColumnChange { column, personal, from, to, by }: &ColumnChange) -> String {
    let shown = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    match by {
        Some(by) => format!("{column} {by:+}"),
        None if *personal => format!("{column} (personal)"),
        None if from.is_null() => format!("{column}: {}", shown(to)),
        None => format!("{column}: {} → {}", shown(from), shown(to)),
    }
}
