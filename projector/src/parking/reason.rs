//! Why an event cannot be folded, told without a word of what is in it.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use event_log::{Position, Recorded};
use events::{DecodeError, Event};

use crate::FoldError;

/// An event that cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// By this program.
    Newer(DecodeError),
    /// By nobody, as it is.
    Broken(String),
}

/// Reads an event, unless a fold is known not to cope with it.
///
/// # Errors
/// See [`Unreadable`].
pub fn read(recorded: &Recorded, broken: &BTreeMap<Position, String>) -> Result<Event, Unreadable> {
    if let Some(reason) = broken.get(&recorded.position) {
        return Err(Unreadable::Broken(reason.clone()));
    }
    let Recorded { event_type, schema_version, payload, .. } = recorded;
    // What brings an old payload up to today's shape may not be prepared for this one.
    match catch_unwind(|| Event::decode(event_type, *schema_version, payload)) {
        Ok(Ok(event)) => Ok(event),
        Ok(Err(error @ DecodeError::Newer { .. })) => Err(Unreadable::Newer(error)),
        Ok(Err(DecodeError::Payload { name, source })) => {
            Err(Unreadable::Broken(format!("the payload of {name} cannot be read: {}", without_values(&source.to_string()))))
        }
        Ok(Err(error @ DecodeError::UnknownType { .. })) => Err(Unreadable::Broken(error.to_string())),
        Err(_) => Err(Unreadable::Broken(format!("reading {event_type} in schema version {schema_version} panics"))),
    }
}

/// What serde says, without the value that it says it of. Names of members and types are the program's own words.
fn without_values(said: &str) -> String {
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    if said.starts_with("missing field ") {
        return said.to_owned();
    }
    let is_about_a_value = ["invalid type: ", "invalid value: ", "unknown variant "].iter().any(|begin| said.starts_with(begin));
    match said.rsplit_once(", expected ") {
        Some((_, expected)) if is_about_a_value => format!("somewhere there should be {expected}"),
        _ => "it does not have the shape of its type".into(),
    }
}

/// What a fold panicked with is not told: it may be a value. It is on stderr.
pub(crate) fn of_panic(_: Box<dyn Any + Send>) -> String {
    "the fold panics".into()
}

/// What the database found wrong with the rows.
pub(crate) fn of_refusal(error: &sqlx::Error) -> String {
    let error = error.as_database_error();
    let code = error.and_then(sqlx::error::DatabaseError::code).unwrap_or("no code".into());
    let constraint = error.and_then(sqlx::error::DatabaseError::constraint).map_or_else(String::new, |name| format!(", {name}"));
    format!("the database refuses its rows ({code}{constraint})")
}

/// Does something with each event, in order.
///
/// # Errors
/// [`FoldError::Broken`]: it panicked, with that event. What it was done to must not be used any more.
pub fn each<E>(events: &[(E, &Recorded)], mut step: impl FnMut(&E, &Recorded)) -> Result<(), FoldError> {
    let mut position = 0;
    let all = || {
        for (event, recorded) in events {
            position = recorded.position;
            step(event, recorded);
        }
    };
    catch_unwind(AssertUnwindSafe(all)).map_err(|panic| FoldError::Broken { position, reason: of_panic(panic) })
}
