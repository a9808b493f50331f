//! An event, as it is shown everywhere.

use chrono::SecondsFormat;
use event_log::{Actor, Epochs, Metadata, Recorded};
use serde_json::{Value, json, value::RawValue};

/// A line for people.
pub fn as_text(event: &Recorded) -> String {
    let Recorded { partition, position, version, event_type, recorded_at, .. } = event;
    let at = recorded_at.format("%Y-%m-%d %H:%M:%S");
    format!("{version:>4}  {event_type:<24} {at}  {}.{position}  {}", partition.number(), readable(&event.payload))
}

/// The envelope.
pub fn as_json(event: &Recorded, epochs: &Epochs) -> anyhow::Result<Value> {
    let Metadata { actor, subject_id, correlation_id, causation_id, traceparent } = &event.metadata;
    Ok(json!({
        "event_id": event.event_id,
        "type": event.event_type,
        "schema_version": event.schema_version,
        "stream_id": event.stream_id,
        "version": event.version,
        "partition": event.partition.number(),
        "position": event.position.to_string(),
        "epoch": epochs.of(event.partition, event.position),
        "recorded_at": event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "actor": actor,
        "subject_id": subject_id,
        "correlation_id": correlation_id,
        "causation_id": causation_id,
        "traceparent": traceparent,
        "payload": serde_json::from_str::<&RawValue>(&event.payload)?,
    }))
}

/// Who did it, for people.
pub fn by(actor: &Actor) -> String {
    match actor {
        Actor::Anonymous => "anonymous".into(),
        Actor::User(user) => format!("user {user}"),
        Actor::System(name) => name.clone(),
    }
}

/// A payload without ciphertext, which tells nobody anything.
fn readable(payload: &str) -> String {
    let Ok(mut value) = serde_json::from_str(payload) else { return payload.into() };
    hide(&mut value);
    value.to_string()
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) if members.len() == 1 && members.contains_key("$sealed") => *value = "(sealed)".into(),
        Value::Object(members) if members.len() == 1 && members.contains_key("$shredded") => *value = "(shredded)".into(),
        Value::Object(members) => match members.get("$pii").cloned() {
            Some(clear) if members.len() == 1 => *value = clear,
            Some(_) | None => members.values_mut().for_each(hide),
        },
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_told_and_not_printed() {
        let payload = r#"{"name":{"$sealed":"AbC="},"lines":[{"$shredded":true},{"$pii":"Via Roma"}],"diet":"vegan"}"#;
        assert_eq!(readable(payload), r#"{"diet":"vegan","lines":["(shredded)","Via Roma"],"name":"(sealed)"}"#);
    }
}
