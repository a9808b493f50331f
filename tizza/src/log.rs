//! Looking into the log.

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use event_log::{EPOCH, Metadata, Recorded};
use serde_json::{Value, json, value::RawValue};
use service_kit::{config::Stores, log::open_log, telemetry};
use uuid::Uuid;

/// What can be looked at.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print the events of a stream, oldest first
    Show(Show),
}

/// Which stream, and how.
#[derive(Args, Debug)]
pub struct Show {
    /// The stream's id: that of the user, pizzeria, pizza or like
    stream: Uuid,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stores: Stores,
}

impl Command {
    /// Prints what was asked for.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self::Show(Show { stream, json, stores }) = self;
        telemetry::on_stderr();
        let place = stores.log()?;
        anyhow::ensure!(!place.is_missing(), "there is no log at {}", place.url);
        let (log, _) = open_log(&stores).await?;
        let events = log.stream(stream, 0).await;
        log.close().await;
        let events = events?;
        anyhow::ensure!(!events.is_empty(), "the log has no stream {stream}");
        for event in events {
            if json { println!("{}", as_json(&event)?) } else { println!("{}", as_text(&event)) }
        }
        Ok(())
    }
}

fn as_text(event: &Recorded) -> String {
    let Recorded { partition, position, version, event_type, payload, recorded_at, .. } = event;
    let at = recorded_at.format("%Y-%m-%d %H:%M:%S");
    format!("{version:>4}  {event_type:<24} {at}  {}.{position}  {payload}", partition.number())
}

/// The envelope, the same wherever events are shown.
fn as_json(event: &Recorded) -> anyhow::Result<Value> {
    let Metadata { actor, subject_id, correlation_id, causation_id } = &event.metadata;
    Ok(json!({
        "event_id": event.event_id,
        "type": event.event_type,
        "schema_version": event.schema_version,
        "stream_id": event.stream_id,
        "version": event.version,
        "partition": event.partition.number(),
        "position": event.position.to_string(),
        "epoch": EPOCH,
        "recorded_at": event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "actor": actor,
        "subject_id": subject_id,
        "correlation_id": correlation_id,
        "causation_id": causation_id,
        "payload": serde_json::from_str::<&RawValue>(&event.payload)?,
    }))
}
