//! Personal values.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A value that is about a person. In an event it is written as `{"$pii": value}`, so that the log can find it without
/// knowing what the event means; once the person's key is destroyed it reads as [`Pii::Shredded`], for ever.
#[derive(Clone, PartialEq, Eq)]
pub enum Pii<T> {
    /// Readable.
    Clear(T),
    /// Erased: nobody can read it again.
    Shredded,
}

impl<T> Pii<T> {
    /// The value, unless it was erased.
    pub const fn clear(&self) -> Option<&T> {
        match self {
            Self::Clear(value) => Some(value),
            Self::Shredded => None,
        }
    }

    /// The value, unless it was erased.
    pub fn into_clear(self) -> Option<T> {
        match self {
            Self::Clear(value) => Some(value),
            Self::Shredded => None,
        }
    }
}

impl<T> From<T> for Pii<T> {
    fn from(value: T) -> Self {
        Self::Clear(value)
    }
}

/// Never the value: what is printed ends up in logs.
impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Pii(…)",
            Self::Shredded => "Pii(shredded)",
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    #[serde(rename = "$pii", default = "Option::default", skip_serializing_if = "Option::is_none")]
    clear: Option<T>,
    #[serde(rename = "$shredded", default, skip_serializing_if = "std::ops::Not::not")]
    shredded: bool,
}

impl<T: Serialize> Serialize for Pii<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored { clear: self.clear(), shredded: matches!(self, Self::Shredded) }.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pii<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Stored::deserialize(deserializer)? {
            Stored { clear: Some(value), .. } => Ok(Self::Clear(value)),
            Stored { shredded: true, .. } => Ok(Self::Shredded),
            Stored { .. } => Err(D::Error::custom("expected {\"$pii\": …} or {\"$shredded\": true}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_value_can_be_found_without_knowing_the_event() {
        assert_eq!(serde_json::to_string(&Pii::Clear("Ada")).unwrap(), r#"{"$pii":"Ada"}"#);
        assert_eq!(serde_json::to_string(&Pii::<String>::Shredded).unwrap(), r#"{"$shredded":true}"#);
    }

    #[test]
    fn an_erased_value_reads_as_shredded_and_a_bare_one_not_at_all() {
        let read = serde_json::from_str::<Pii<String>>;
        assert_eq!(read(r#"{"$pii":"Ada"}"#).unwrap(), Pii::Clear("Ada".into()));
        assert_eq!(read(r#"{"$shredded":true}"#).unwrap(), Pii::Shredded);
        assert!(read("{}").is_err());
        assert!(read(r#""Ada""#).is_err());
    }

    #[test]
    fn debug_output_never_shows_the_value() {
        assert!(!format!("{:?}", Pii::Clear("Ada")).contains("Ada"));
    }
}
