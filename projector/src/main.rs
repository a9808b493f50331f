//! The projector as a program of its own.

use clap::Parser;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    service_kit::exit_code(projector::service::Config::parse().serve().await)
}
