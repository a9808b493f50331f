//! The query side as a program of its own.

use clap::Parser;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    service_kit::exit_code(query_api::service::Config::parse().serve().await)
}
