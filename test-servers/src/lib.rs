//! Real servers for tests and measurements, without Docker: found or fetched, started here, and ended with us.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`postgres`] | a throw-away cluster of Postgres |
//! | [`kafka`] | a throw-away broker of Kafka: where it is, or how it is fetched, and how it is asked whether it is up |
//! | [`certificates`] | that an authority of our own makes |
//! | [`nginx`] | whether there is one |
//! | [`shared`] | a new database for each test, on one server for the whole process; and one broker |
//! | `binaries` | where Postgres is, or how it is fetched |
//! | `wire` | as much of Postgres's protocol as it takes to run a statement |
//! | `fetch` | what is not installed is fetched, once in a checkout |
//! | `launch` | how a server comes up: on a free port, and not before it answers |
//! | `process` | programs that are run to their end, and servers and folders that end with us |
//!
//! A server that is not to be had is [`Missing`], and the caller returns early. Everything else that goes wrong panics: a test
//! has no other answer to it, and must not take it for a server that is missing.

mod binaries;
pub mod certificates;
mod fetch;
pub mod kafka;
mod launch;
pub mod nginx;
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

pub use kafka::{Kafka, cluster::Cluster, secure::Secured};
pub use launch::free_port;
pub use postgres::{Options, Postgres};
pub use shared::{shared_broker, shared_database};

/// There is no such server here, and none can be fetched. Standard error has been told so, once in this process.
#[derive(Debug)]
pub struct Missing {
    /// The server, and how to get it.
    wanted: &'static str,
    why: String,
}

impl Missing {
    /// Goes past `eprintln!`, which the test harness swallows. The empty line is for a harness with one thread: it has begun a
    /// line when a test runs, and `SKIPPED` is looked for at the start of one.
    fn tell(wanted: &'static str, why: impl fmt::Display) -> Self {
        let missing = Self { wanted, why: why.to_string().replace('\n', " ") };
        let program = env::current_exe().ok().and_then(|exe| Some(exe.file_name()?.display().to_string())).unwrap_or_default();
        let line = format!("\nSKIPPED in {program}: {missing}\n");
        // Who has closed our standard error does not want to know.
        drop(io::stderr().write_all(line.as_bytes()));
        missing
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what needs {}: {}", self.wanted, self.why)
    }
}

impl std::error::Error for Missing {}
