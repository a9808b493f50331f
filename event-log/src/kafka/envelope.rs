//! An event as a record: a CloudEvent (specification 1.0.2) in Kafka's binary binding. The payload is the record's value, all else are headers.
//!
//! | header | what it says |
//! | --- | --- |
//! | `ce_specversion`, `content-type` | `1.0`, `application/json` |
//! | `ce_id` | the event's own id |
//! | `ce_type` | its type and the version of its payload: `PizzaLiked`, schema version 1, is `pizza.liked.1.0.0` |
//! | `ce_source`, `ce_dataschema` | `/tizza`, `/tizza/events/` and the type |
//! | `ce_subject`, `ce_streamversion` | the stream that it belongs to, its place there |
//! | `ce_partitionkey` | the same as the record's key: the stream |
//! | `ce_time` | when it was written (RFC 3339) |
//! | `ce_sequence` | its position in the partition, 20 digits: sorts as text (CloudEvents, extension `sequence`) |
//! | `ce_epoch` | the epoch of the log that the position is of |
//! | `ce_actor` | who did it: `anonymous`, `user/<id>` or `system/<name>` |
//! | `ce_datasubject` | whose personal values are sealed in it |
//! | `ce_traceparent` | where the event belongs in a trace, as the log has it (CloudEvents, extension `traceparent`) |
//! | `traceparent` | the span that sent the record, in the same trace (W3C Trace Context): the parent of whatever is done about it |
//! | `ce_correlationid`, `ce_causationid` | the request that began it all; the event that a policy reacted to |

use chrono::{DateTime, SecondsFormat, Utc};
use rdkafka::{
    Message,
    message::{Header, Headers, OwnedHeaders},
};
use uuid::Uuid;

use crate::{Actor, Metadata, Partition, Position, Recorded, trace::Traceparent};

const SOURCE: &str = "/tizza";

/// Why a record is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header} is missing or says nothing")]
pub struct Foreign {
    /// Which header.
    pub header: &'static str,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The event.
    pub event: Recorded,
    /// The epoch of its position.
    pub epoch: u32,
    /// The span that sent the record. Others may have written it, too; what is none is left out.
    pub sent: Option<Traceparent>,
}

/// The headers of an event's record, and of the span that sends it.
#[must_use]
pub fn headers(event: &Recorded, epoch: u32, sent: Option<Traceparent>) -> OwnedHeaders {
    let Recorded { event_id, stream_id, version, event_type, schema_version, position, metadata, recorded_at, .. } = event;
    let kind = dotted(event_type, *schema_version);
    let stream = stream_id.to_string();
    let told = [
        ("ce_specversion", Some("1.0".to_owned())),
        ("content-type", Some("application/json".to_owned())),
        ("ce_id", Some(event_id.to_string())),
        ("ce_source", Some(SOURCE.to_owned())),
        ("ce_dataschema", Some(format!("{SOURCE}/events/{kind}"))),
        ("ce_type", Some(kind)),
        ("ce_streamversion", Some(version.to_string())),
        ("ce_subject", Some(stream.clone())),
        ("ce_partitionkey", Some(stream)),
        ("ce_time", Some(recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true))),
        ("ce_sequence", Some(format!("{position:020}"))),
        ("ce_epoch", Some(epoch.to_string())),
        ("ce_actor", Some(actor(&metadata.actor))),
        ("ce_correlationid", Some(metadata.correlation_id.clone())),
        ("ce_datasubject", metadata.subject_id.map(|subject| subject.to_string())),
        ("ce_causationid", metadata.causation_id.map(|cause| cause.to_string())),
        ("ce_traceparent", metadata.traceparent.map(String::from)),
        ("traceparent", sent.or(metadata.traceparent).map(String::from)),
    ];
    told.iter().fold(OwnedHeaders::new_with_capacity(told.len()), |headers, (key, value)| match value {
        Some(_) => headers.insert(Header { key, value: value.as_deref() }),
        None => headers,
    })
}

/// The event that a record holds.
///
/// # Errors
/// It is none of ours.
pub fn event(record: &impl Message) -> Result<Read, Foreign> {
    let headers = record.headers();
    let text = |key: &str| {
        headers.and_then(|headers| headers.iter().find(|header| header.key == key)).and_then(|header| str::from_utf8(header.value?).ok())
    };
    let foreign = |header| Foreign { header };
    let parsed = |header: &'static str| text(header).ok_or(foreign(header));
    let id = |header: &'static str| parsed(header)?.parse::<Uuid>().map_err(|_| foreign(header));
    let optional = |header: &'static str| text(header).map(|_| id(header)).transpose();
    let number = |header: &'static str| parsed(header)?.parse::<i64>().map_err(|_| foreign(header));
    let (event_type, schema_version) = undotted(parsed("ce_type")?).ok_or(foreign("ce_type"))?;
    let partition = u16::try_from(record.partition()).ok().and_then(Partition::new).ok_or(foreign("partition"))?;
    let payload = record.payload().and_then(|payload| str::from_utf8(payload).ok()).ok_or(foreign("value"))?;
    let position: Position = number("ce_sequence")?;
    let event = Recorded {
        partition,
        position,
        event_id: id("ce_id")?,
        stream_id: id("ce_subject")?,
        version: number("ce_streamversion")?,
        event_type,
        schema_version,
        payload: payload.to_owned(),
        metadata: Metadata {
            actor: actor_of(parsed("ce_actor")?).ok_or(foreign("ce_actor"))?,
            subject_id: optional("ce_datasubject")?,
            correlation_id: parsed("ce_correlationid")?.to_owned(),
            causation_id: optional("ce_causationid")?,
            traceparent: text("ce_traceparent").and_then(|text| text.parse().ok()),
        },
        recorded_at: parsed("ce_time")?.parse::<DateTime<Utc>>().map_err(|_| foreign("ce_time"))?,
    };
    let epoch = u32::try_from(number("ce_epoch")?).map_err(|_| foreign("ce_epoch"))?;
    if position < 1 || parsed("ce_source")? != SOURCE {
        Err(foreign("ce_source"))
    } else {
        Ok(Read { event, epoch, sent: text("traceparent").and_then(|text| text.parse().ok()) })
    }
}

/// `PizzaLiked`, 1: `pizza.liked.1.0.0`.
fn dotted(event_type: &str, schema_version: u32) -> String {
    let mut dotted = String::with_capacity(event_type.len() + 12);
    for letter in event_type.chars() {
        if letter.is_ascii_uppercase() && !dotted.is_empty() {
            dotted.push('.');
        }
        dotted.push(letter.to_ascii_lowercase());
    }
    dotted + &format!(".{schema_version}.0.0")
}

fn undotted(kind: &str) -> Option<(String, u32)> {
    let mut parts = kind.rsplitn(4, '.');
    let (_, _) = (parts.next()?, parts.next()?);
    let schema_version = parts.next()?.parse().ok()?;
    let mut event_type = String::with_capacity(kind.len());
    for word in parts.next()?.split('.') {
        let mut letters = word.chars();
        event_type.push(letters.next()?.to_ascii_uppercase());
        event_type.push_str(letters.as_str());
    }
    Some((event_type, schema_version))
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Anonymous => "anonymous".into(),
        Actor::User(user) => format!("user/{user}"),
        Actor::System(name) => format!("system/{name}"),
    }
}

fn actor_of(text: &str) -> Option<Actor> {
    match text.split_once('/') {
        None if text == "anonymous" => Some(Actor::Anonymous),
        Some(("user", id)) => id.parse().ok().map(Actor::User),
        Some(("system", name)) => Some(Actor::System(name.into())),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::{Timestamp, message::OwnedMessage};

    use super::*;

    const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn recorded() -> Recorded {
        Recorded {
            partition: Partition::new(3).unwrap(),
            position: 42,
            event_id: Uuid::from_u128(1),
            stream_id: Uuid::from_u128(2),
            version: 7,
            event_type: "UserSignedUp".into(),
            schema_version: 2,
            payload: r#"{"name":"ünï"}"#.into(),
            metadata: Metadata {
                actor: Actor::System("close pizzerias".into()),
                subject_id: Some(Uuid::from_u128(3)),
                correlation_id: "a request's own".into(),
                causation_id: Some(Uuid::from_u128(4)),
                traceparent: TRACEPARENT.parse().ok(),
            },
            recorded_at: DateTime::from_timestamp_micros(1_795_298_602_123_456).unwrap(),
        }
    }

    fn record(event: &Recorded, epoch: u32) -> OwnedMessage {
        let payload = Some(event.payload.clone().into_bytes());
        OwnedMessage::new(payload, None, "t".into(), Timestamp::NotAvailable, 3, 0, Some(headers(event, epoch, None)))
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let mut event = recorded();
        assert_eq!(super::event(&record(&event, 9)), Ok(Read { event: event.clone(), epoch: 9, sent: TRACEPARENT.parse().ok() }));
        for actor in [Actor::Anonymous, Actor::User(Uuid::from_u128(5))] {
            event.metadata = Metadata { actor, subject_id: None, correlation_id: String::new(), causation_id: None, traceparent: None };
            assert_eq!(super::event(&record(&event, 1)), Ok(Read { event: event.clone(), epoch: 1, sent: None }));
        }
    }

    #[test]
    fn a_record_tells_who_sent_it_and_the_event_where_it_was_written() {
        let (event, sent) = (recorded(), TRACEPARENT.replace("00f067aa0ba902b7", "53995c3f42cd8ad8").parse().ok());
        let record = |headers| OwnedMessage::new(Some(b"{}".to_vec()), None, "t".into(), Timestamp::NotAvailable, 3, 0, Some(headers));
        let read = super::event(&record(headers(&event, 1, sent))).unwrap();
        assert_eq!((read.event.metadata.traceparent, read.sent), (event.metadata.traceparent, sent));
        let rewritten = headers(&Recorded { metadata: Metadata { traceparent: None, ..event.metadata.clone() }, ..event }, 1, None);
        let strange = super::event(&record(rewritten.insert(Header { key: "traceparent", value: Some("by somebody else") }))).unwrap();
        assert_eq!((strange.event.metadata.traceparent, strange.sent), (None, None));
    }

    #[test]
    fn what_stock_consumers_look_for_is_there() {
        let record = record(&recorded(), 1);
        let found = |key: &str| {
            record.headers().unwrap().iter().find(|header| header.key == key).and_then(|h| h.value).map(String::from_utf8_lossy)
        };
        assert_eq!(found("ce_type").unwrap(), "user.signed.up.2.0.0");
        assert_eq!(found("ce_sequence").unwrap(), "00000000000000000042");
        assert_eq!(found("ce_time").unwrap(), "2026-11-21T22:03:22.123456Z");
    }

    #[test]
    fn what_is_none_of_ours_is_told_by_its_first_missing_header() {
        let bare = OwnedMessage::new(Some(b"{}".to_vec()), None, "t".into(), Timestamp::NotAvailable, 3, 0, None);
        assert_eq!(super::event(&bare), Err(Foreign { header: "ce_type" }));
        let elsewhere =
            OwnedMessage::new(Some(b"{}".to_vec()), None, "t".into(), Timestamp::NotAvailable, 16, 0, Some(headers(&recorded(), 1, None)));
        assert_eq!(super::event(&elsewhere), Err(Foreign { header: "partition" }));
        let nothing = OwnedMessage::new(None, None, "t".into(), Timestamp::NotAvailable, 3, 0, Some(headers(&recorded(), 1, None)));
        assert_eq!(super::event(&nothing), Err(Foreign { header: "value" }));
    }
}
