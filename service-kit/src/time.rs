//! Times as they are written, in answers and in rows: RFC 3339 in UTC with microseconds, always six digits, so that the order of the
//! texts is the order of the times.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serializer};

/// Now, in microseconds: what both databases keep.
#[must_use]
pub fn now() -> DateTime<Utc> {
    let now = Utc::now();
    DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}

/// For `#[serde(with = "service_kit::time")]`.
///
/// # Errors
/// The serializer's own.
pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// For `#[serde(with = "service_kit::time")]`.
///
/// # Errors
/// It is no time.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    DateTime::deserialize(deserializer)
}
