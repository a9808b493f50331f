//! What is new.

use std::{collections::BTreeSet, io::Write, time::Duration};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use event_log::{Epochs, Heads, PARTITIONS, Partition, Recorded};
use service_kit::shutdown::on_signals;

use super::{
    envelope::{as_json, as_text},
    opened::{Look, Opened},
};

/// How often it is looked for new events.
const POLL: Duration = Duration::from_millis(100);
/// How many events of a partition are read at once.
const PAGE: usize = 500;

/// Which events, and how.
#[derive(Args, Debug)]
pub struct Tail {
    /// Only events of this type, e.g. PizzaLiked; may be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = known_type)]
    types: Vec<String>,
    /// Only events of this partition; may be repeated
    #[arg(long = "partition", value_name = "N", value_parser = known_partition)]
    partitions: Vec<Partition>,
    /// Begin with what was written since then: a time (RFC 3339), or how long ago, e.g. 15m [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<DateTime<Utc>>,
    /// End when everything that is there was printed
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    look: Look,
}

fn known_type(name: &str) -> Result<String, String> {
    if events::Event::types().any(|known| known.name == name) { Ok(name.into()) } else { Err("no event has this type".into()) }
}

fn known_partition(number: &str) -> Result<Partition, String> {
    number.parse().ok().and_then(Partition::new).ok_or_else(|| format!("partitions are 0 to {}", PARTITIONS - 1))
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let ago = humantime::parse_duration(text).ok().and_then(|ago| chrono::Duration::from_std(ago).ok());
    ago.and_then(|ago| Utc::now().checked_sub_signed(ago))
        .ok_or_else(|| "neither a time (2026-11-21T18:00:00Z) nor how long ago (15m)".into())
}

impl Tail {
    /// Prints until SIGINT or SIGTERM.
    pub async fn run(self) -> anyhow::Result<()> {
        let shutdown = on_signals()?;
        self.look.with(async |opened| shutdown.run_until_cancelled(self.print(opened)).await.unwrap_or(Ok(()))).await
    }

    async fn print(&self, opened: &Opened) -> anyhow::Result<()> {
        let mut seen = match self.since {
            Some(time) => opened.log.before(time).await?,
            None => opened.log.heads().await?,
        };
        loop {
            let events = self.next(opened, &mut seen).await?;
            if events.is_empty() {
                if self.no_follow {
                    return Ok(());
                }
                tokio::time::sleep(POLL).await;
                continue;
            }
            self.write(opened.shown(events).await?, &opened.epochs)?;
        }
    }

    /// Some of each partition, in the order of time; all that was looked at counts as seen.
    async fn next(&self, opened: &Opened, seen: &mut Heads) -> anyhow::Result<Vec<Recorded>> {
        let (partitions, heads): (BTreeSet<_>, _) = (self.partitions.iter().copied().collect(), opened.log.heads().await?);
        let mut found = vec![];
        for partition in Partition::all().filter(|partition| partitions.is_empty() || partitions.contains(partition)) {
            let seen = &mut seen[partition.index()];
            while heads[partition.index()] > *seen {
                let page = opened.log.read(partition, *seen, PAGE).await?;
                let last = page.last().context("the log has a head without an event")?;
                *seen = last.position;
                found.extend(page.into_iter().filter(|event| self.types.is_empty() || self.types.contains(&event.event_type)));
                if found.len() >= PAGE {
                    break;
                }
            }
        }
        found.sort_by_key(|event| (event.recorded_at, event.partition, event.position));
        Ok(found)
    }

    fn write(&self, events: Vec<Recorded>, epochs: &Epochs) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        for event in &events {
            if self.look.json {
                writeln!(out, "{}", as_json(event, epochs)?)?
            } else {
                writeln!(out, "{}  {}", event.stream_id, as_text(event))?
            }
        }
        Ok(out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_time_or_how_long_ago() {
        assert_eq!(time("2026-11-21T18:00:00+01:00").unwrap().to_rfc3339(), "2026-11-21T17:00:00+00:00");
        let then = time("15m").unwrap();
        let ago = Utc::now() - then;
        assert!((15 * 60..15 * 60 + 60).contains(&ago.num_seconds()), "{ago}");
        for wrong in ["", "yesterday", "15", "-5m", "2026-11-21", "999999999y"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn types_and_partitions_are_those_that_there_are() {
        assert!(known_type("PizzaLiked").is_ok() && known_type("PizzaBurnt").is_err());
        assert!(known_partition("15").is_ok() && known_partition("16").is_err() && known_partition("x").is_err());
    }
}
