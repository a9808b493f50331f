//! One server for all tests of a process, and a database of its own for each of them; one broker, where they take topics of
//! their own.

use std::{env, process::Command, sync::OnceLock};

use crate::{Kafka, Missing, Options, Postgres, process};

/// The URL of a new, empty database with a name of its own. Its server is shared by the whole process, and made with the
/// default [`Options`]; where `DATABASE_URL` names a Postgres, it is that one, and the database stays there.
///
/// # Errors
/// There is no Postgres.
///
/// # Panics
/// The server does not start, or refuses; or `DATABASE_URL` is set and there is no `psql` to ask it with.
pub fn shared_database() -> Result<String, &'static Missing> {
    static CLUSTER: OnceLock<Result<Postgres, &'static Missing>> = OnceLock::new();

    let given = env::var("DATABASE_URL").ok().filter(|url| url.starts_with("postgres://") || url.starts_with("postgresql://"));
    if let Some(server) = given {
        return Ok(new_database_on(&server));
    }
    // Never dropped: the guard sees our end, see `process::Guarded`.
    CLUSTER.get_or_init(|| Postgres::start(Options::default())).as_ref().map(Postgres::new_database).map_err(|missing| *missing)
}

/// The bootstrap address of a broker that is shared by the whole process; where `KAFKA_BOOTSTRAP` names one, it is that one. Who
/// uses it gives topics and groups names that nobody else has.
///
/// # Errors
/// There is no Kafka, or no Java.
///
/// # Panics
/// The broker does not start.
pub fn shared_broker() -> Result<String, &'static Missing> {
    static BROKER: OnceLock<Result<Kafka, &'static Missing>> = OnceLock::new();

    if let Some(given) = env::var("KAFKA_BOOTSTRAP").ok().filter(|address| !address.is_empty()) {
        return Ok(given);
    }
    // Never dropped: the guard sees our end, see `process::Guarded`.
    BROKER.get_or_init(Kafka::start).as_ref().map(Kafka::bootstrap).map_err(|missing| *missing)
}

/// On a server that is not ours: `psql` knows each way in (passwords, TLS, sockets).
fn new_database_on(server: &str) -> String {
    let name = process::unique("tizza_test");
    let statement = format!("create database {name}");
    process::run(Command::new("psql").args(["--no-psqlrc", "--no-password", "--quiet", "--dbname", server, "--command", &statement]))
        .unwrap_or_else(|e| panic!("DATABASE_URL is set, and psql (package postgresql-client) makes no database there: {e}"));
    with_database(server, &name)
}

/// The URL with another database: `scheme://authority/DATABASE?parameters`.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, String::new()), |(address, rest)| (address, format!("?{rest}")));
    let authority = address.find("://").map_or(0, |colon| colon + 3);
    let end = address[authority..].find('/').map_or(address.len(), |slash| authority + slash);
    format!("{}/{name}{parameters}", &address[..end])
}
