//! What operators call a parked event.

use std::{fmt, str::FromStr};

use event_log::{Partition, Position};
use read_store::parked::{ParkedRow, Place};

use crate::operations::Parked;

/// `<projection>.<generation>.<partition>.<position>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    /// By which projection it is parked.
    pub projection: String,
    /// In which generation.
    pub generation: i64,
    /// Where the event is.
    pub partition: Partition,
    /// Its place there.
    pub position: Position,
}

/// This is no such id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no id of a parked event: expected <projection>.<generation>.<partition>.<position>, as in reactions.1.11.42")]
pub struct Malformed(String);

impl Id {
    /// Where it is parked.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        Place { projection: &self.projection, generation: self.generation, partition: self.partition }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { projection, generation, partition, position } = self;
        write!(f, "{projection}.{generation}.{}.{position}", partition.number())
    }
}

impl FromStr for Id {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        parsed(text).ok_or_else(|| Malformed(text.to_owned()))
    }
}

fn parsed(text: &str) -> Option<Id> {
    let parts: Vec<_> = text.split('.').collect();
    let [projection, generation, partition, position] = parts[..] else { return None };
    // As they are written: without a sign.
    let number = |text: &str| text.parse().ok().filter(|number: &i64| *number > 0 && text.starts_with(|c: char| c.is_ascii_digit()));
    let (generation, position) = (number(generation)?, number(position)?);
    let partition = partition.parse().ok().and_then(Partition::new)?;
    (!projection.is_empty()).then(|| Id { projection: projection.to_owned(), generation, partition, position })
}

impl From<ParkedRow> for Parked {
    fn from(row: ParkedRow) -> Self {
        let ParkedRow { projection, generation, partition, event, parked_at } = row;
        let id = Id { projection: projection.clone(), generation, partition, position: event.position }.to_string();
        let (partition, position) = (partition.number(), event.position);
        let (stream_id, event_type, reason) = (event.stream_id, event.event_type, event.reason);
        Self { id, projection, generation, partition, position, stream_id, event_type, reason, parked_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is() {
        let id: Id = "reactions.2.11.42".parse().unwrap();
        assert_eq!((id.generation, id.partition.number(), id.position), (2, 11, 42));
        assert_eq!(id.to_string(), "reactions.2.11.42");
        for text in
            ["", "reactions", "reactions.2.11", "reactions.2.16.42", "reactions.2.11.0", "reactions.-2.11.1", ".2.11.42", "a.2.11.42.1"]
        {
            assert_eq!(text.parse::<Id>(), Err(Malformed(text.into())));
        }
    }
}
