//! How an event is written to the log and read back.
//!
//! The log keeps three things of an event: the name of its type (`PizzaLiked`), the schema version of its payload, and the
//! payload itself, a JSON object. [`vocabulary!`](crate::vocabulary!) ties an enum's variants to these; reading an older schema version runs the
//! slice's upcaster step by step up to today's.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A type of event and the newest schema version of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// As stored, e.g. `PizzaLiked`.
    pub name: &'static str,
    /// Raised by every change that an older reader could not understand.
    pub schema_version: u32,
}

/// Why a stored event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No slice has such an event.
    #[error("unknown event type {name}")]
    UnknownType {
        /// As stored.
        name: String,
    },
    /// Written by a newer release than this one.
    #[error("{name} has schema version {found}, this program reads up to {known}")]
    Newer {
        /// The type's name.
        name: &'static str,
        /// As stored.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// The payload does not have the shape of its type.
    #[error("the payload of {name} cannot be read")]
    Payload {
        /// The type's name.
        name: &'static str,
        /// What the JSON reader found.
        #[source]
        source: serde_json::Error,
    },
}

/// The events of one kind of stream.
pub trait Vocabulary: DomainEvent + 'static {
    /// The kind of stream, e.g. `pizza`.
    const KIND: &'static str;
    /// All types, in the enum's order.
    const TYPES: &'static [EventType];

    /// This event's type.
    fn kind_of_event(&self) -> EventType;

    /// Brings a payload from `schema_version` to the next one.
    fn upcast(name: &'static str, schema_version: u32, payload: Value) -> Value;

    /// Whether `name` is one of these events.
    #[must_use]
    fn knows(name: &str) -> bool {
        Self::find(name).is_some()
    }

    /// The type called `name`.
    #[must_use]
    fn find(name: &str) -> Option<EventType> {
        Self::TYPES.iter().copied().find(|known| known.name == name)
    }

    /// The payload, a JSON object.
    #[must_use]
    fn encode(&self) -> String {
        let tagged = serde_json::to_string(self).expect("events have string keys and no failing serializer");
        let name = self.kind_of_event().name;
        // {"PizzaLiked":{…}} → {…}: what serde writes for a variant, without its tag.
        tagged[name.len() + 4..tagged.len() - 1].to_owned()
    }

    /// Reads a stored event.
    ///
    /// # Errors
    /// The type is not of this kind, its schema version is newer than this program, or the payload does not fit.
    fn decode(name: &str, schema_version: u32, payload: &str) -> Result<Self, DecodeError> {
        let known = Self::find(name).ok_or_else(|| DecodeError::UnknownType { name: name.into() })?;
        if schema_version > known.schema_version {
            return Err(DecodeError::Newer { name: known.name, found: schema_version, known: known.schema_version });
        }
        let unreadable = |source| DecodeError::Payload { name: known.name, source };
        if schema_version == known.schema_version {
            return serde_json::from_str(&format!("{{\"{}\":{payload}}}", known.name)).map_err(unreadable);
        }
        let stored = serde_json::from_str(payload).map_err(unreadable)?;
        let today = (schema_version..known.schema_version).fold(stored, |value, version| Self::upcast(known.name, version, value));
        serde_json::from_value(Value::Object([(known.name.to_owned(), today)].into_iter().collect())).map_err(unreadable)
    }
}

/// Reads a member that is only there when it changed: `null` means that there is nothing any more. With `#[serde(default)]` a member
/// that is missing reads as `None`.
///
/// # Errors
/// The value is not of its type.
pub fn changed<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Ties an enum to its stream kind and its variants to their schema versions; with a function for upcasting where an
/// older version exists.
#[macro_export]
macro_rules! vocabulary {
    ($events:ident, kind = $kind:literal, $($variant:ident = $version:literal),+ $(,)?) => {
        $crate::vocabulary!($events, kind = $kind, upcast = |_, _, payload| payload, $($variant = $version),+);
    };
    ($events:ident, kind = $kind:literal, upcast = $upcast:expr, $($variant:ident = $version:literal),+ $(,)?) => {
        impl $crate::Vocabulary for $events {
            const KIND: &'static str = $kind;
            const TYPES: &'static [$crate::EventType] =
                &[$($crate::EventType { name: stringify!($variant), schema_version: $version }),+];

            fn kind_of_event(&self) -> $crate::EventType {
                match self {
                    $(Self::$variant { .. } => $crate::EventType { name: stringify!($variant), schema_version: $version }),+
                }
            }

            fn upcast(name: &'static str, schema_version: u32, payload: serde_json::Value) -> serde_json::Value {
                let step: fn(&'static str, u32, serde_json::Value) -> serde_json::Value = $upcast;
                step(name, schema_version, payload)
            }
        }

        impl cqrs_es::DomainEvent for $events {
            fn event_type(&self) -> String {
                $crate::Vocabulary::kind_of_event(self).name.to_owned()
            }

            fn event_version(&self) -> String {
                $crate::Vocabulary::kind_of_event(self).schema_version.to_string()
            }
        }
    };
}
