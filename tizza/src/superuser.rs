//! The first superuser: made by whoever can reach the stores.

use std::io::{BufRead, IsTerminal};

use anyhow::Context;
use clap::Args;
use command_api::Settings;
use service_kit::{
    Problem,
    config::{PublicUrl, Stores},
    telemetry,
};

/// Who becomes superuser.
#[derive(Args, Debug)]
pub struct Config {
    /// Name of the account; it is opened, or, if it is there, must have the password given
    #[arg(long)]
    username: String,
    /// Password; asked for on a terminal, else read from the first line of standard input
    #[arg(long, env = "TIZZA_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    #[command(flatten)]
    stores: Stores,
}

impl Config {
    /// Makes the superuser.
    pub async fn run(self) -> anyhow::Result<()> {
        telemetry::on_stderr();
        let password = match self.password {
            Some(password) => password,
            None if std::io::stdin().is_terminal() => rpassword::prompt_password("Password: ")?,
            None => std::io::stdin().lock().lines().next().context("no password on standard input")??,
        };
        let app = command_api::service::open(&self.stores, &PublicUrl::nowhere(), Settings::default()).await?;
        let made = command_api::users::create_superuser(&app, &self.username, &password).await;
        app.close().await;
        let user_id = made.map_err(|Problem { detail, .. }| anyhow::anyhow!("{detail}"))?;
        eprintln!("{} is a superuser now ({user_id})", self.username);
        Ok(())
    }
}
