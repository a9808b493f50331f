//! Real servers for tests and measurements, without Docker: found or fetched, started here, and ended with us.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`postgres`] | a throw-away cluster of Postgres |
//! | [`shared`] | a new database for each test, on one server for the whole process |
//! | `binaries` | where Postgres is, or how it is fetched |
//! | `wire` | as much of Postgres's protocol as it takes to run a statement |
//! | `process` | programs that are run to their end, and servers and folders that end with us |
//!
//! A server that is not to be had is [`Missing`], and the caller returns early. Everything else that goes wrong panics: a test
//! has no other answer to it, and must not take it for a server that is missing.

mod binaries;
pub mod postgres;
mod process;
pub mod shared;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    env, fmt,
    io::{self, Write},
};

pub use postgres::{Options, Postgres};
pub use shared::shared_database;

/// There is no Postgres here, and none can be fetched. Standard error has been told so, once in this process.
#[derive(Debug)]
pub struct Missing {
    why: String,
}

impl Missing {
    /// Goes past `eprintln!`, which the test harness swallows. The empty line is for a harness with one thread: it has begun a
    /// line when a test runs, and `SKIPPED` is looked for at the start of one.
    fn tell(why: impl fmt::Display) -> Self {
        let missing = Self { why: why.to_string().replace('\n', " ") };
        let program = env::current_exe().ok().and_then(|exe| Some(exe.file_name()?.display().to_string())).unwrap_or_default();
        let line = format!("\nSKIPPED in {program}: {missing}\n");
        // Who has closed our standard error does not want to know.
        drop(io::stderr().write_all(line.as_bytes()));
        missing
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what needs Postgres (apt-get install postgresql, or set PG_BIN or DATABASE_URL): {}", self.why)
    }
}

impl std::error::Error for Missing {}
