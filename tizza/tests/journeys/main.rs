//! End to end: the built program, started as its users start it, spoken to as its clients speak to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod cards;
mod crashes;
mod forms;
mod reading;
mod rejections;
mod server;
mod staff;
mod starting;
mod stories;
mod tour;
