//! `tizza`: all roles in one process, each role by itself, and the operators' commands.

mod all_in_one;
mod backup;
mod gateway;
mod log;
mod migrate;
mod moving;
mod operations;
mod progress;
mod ready;
mod relay;
mod superuser;

use clap::{Parser, Subcommand};

use operations::{actions, cleanup, explain, parked, projections, rebuild, rollback, unless_read_enough, verify};

/// Event-sourced CQRS, in the open: without a command, all of Tizza in one process.
///
/// Every setting is a flag and an environment variable; the flag wins. Nothing needs to be set.
#[derive(Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    all_in_one: all_in_one::Config,
}

#[derive(Subcommand, Debug)]
enum Role {
    /// Take commands and append events to the log
    CommandApi(command_api::service::Config),
    /// Relay the log to Kafka; command-api does it, too, unless told otherwise
    Relay(relay::Config),
    /// Fold events into the read store
    Projector(projector::service::Config),
    /// Answer queries from the read store
    QueryApi(query_api::service::Config),
    /// Ask a service on this machine whether it can do its work; exits with 1 if not
    Ready(ready::Config),
    /// Bring all stores up to this version; services do it, too, when they start
    Migrate(migrate::Config),
    /// Copy log, keys and identity store, while they are in use, into a folder (SQLite; for Postgres see docs/backup.md)
    Backup(backup::Config),
    /// Move log, keys and identity store to another database: from SQLite to Postgres, or back
    Move(moving::Config),
    /// Make the first superuser, once per environment
    #[command(name = "createsuperuser")]
    CreateSuperuser(superuser::Config),
    /// Print how each projection is: generations, how far behind, what is parked, what its tables take
    Projections(projections::Config),
    /// Fold the log into new tables of a projection, verify them and swap them in, while everything runs; or copy what it was once
    Rebuild(rebuild::Config),
    /// Have the tables of before the last rebuild read again
    Rollback(rollback::Config),
    /// Drop tables that have not been live for a while, and copies by their names
    Cleanup(cleanup::Config),
    /// Fold the log anew and compare a projection's live rows with what comes of it; exits with 1 if one differs (of the log itself: `log verify`)
    Verify(verify::Config),
    /// Print the events behind one row of a projection
    Explain(explain::Config),
    /// Look after events that a projection could not fold
    #[command(subcommand)]
    Parked(parked::Command),
    /// Print who changed what by these commands, newest first
    Actions(actions::Config),
    /// Look into the log
    #[command(subcommand)]
    Log(log::Command),
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    service_kit::exit_code(match cli.role {
        None => cli.all_in_one.serve().await,
        Some(Role::CommandApi(config)) => config.serve().await,
        Some(Role::Relay(config)) => config.serve().await,
        Some(Role::Projector(config)) => config.serve().await,
        Some(Role::QueryApi(config)) => config.serve().await,
        Some(Role::Ready(config)) => config.run().await,
        Some(Role::Migrate(config)) => config.run().await.map_err(Into::into),
        Some(Role::CreateSuperuser(config)) => config.run().await,
        Some(Role::Backup(config)) => config.run().await,
        Some(Role::Move(config)) => config.run().await,
        Some(Role::Projections(config)) => unless_read_enough(config.run().await),
        Some(Role::Rebuild(config)) => unless_read_enough(config.run().await),
        Some(Role::Rollback(config)) => unless_read_enough(config.run().await),
        Some(Role::Cleanup(config)) => unless_read_enough(config.run().await),
        Some(Role::Verify(config)) => unless_read_enough(config.run().await),
        Some(Role::Explain(config)) => unless_read_enough(config.run().await),
        Some(Role::Parked(command)) => unless_read_enough(command.run().await),
        Some(Role::Actions(config)) => unless_read_enough(config.run().await),
        Some(Role::Log(command)) => command.run().await,
    })
}
