//! `tizza`: all roles in one process, each role by itself, and the operators' commands.

mod all_in_one;
mod backup;
mod gateway;
mod log;
mod migrate;
mod moving;
mod progress;
mod ready;
mod relay;
mod superuser;

use clap::{Parser, Subcommand};

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
        Some(Role::Log(command)) => command.run().await,
    })
}
