//! The first superuser: made by whoever can reach the stores.

use std::io::{BufRead, IsTerminal};

use anyhow::Context;
use clap::Args;
use command_api::App;
use event_log::EventLog;
use service_kit::{
    Problem,
    config::{Listen, Stores},
    identity::Identity,
    secrets::Secrets,
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
        let password = match self.password {
            Some(password) => password,
            None if std::io::stdin().is_terminal() => rpassword::prompt_password("Password: ")?,
            None => std::io::stdin().lock().lines().next().context("no password on standard input")??,
        };
        let stores = self.stores;
        let secrets = Secrets::load(&stores.data_dir, stores.log().is_new())?;
        let unused = Listen { http_host: "127.0.0.1".into(), http_port: None, public_url: None };
        let public_url = unused.public_url(([127, 0, 0, 1], 8080).into())?;
        let log = stores.log().open(EventLog::open(&stores.log().url)).await?;
        let identity = stores.identity().open(Identity::open(&stores.identity().url, &secrets, &public_url)).await?;
        let app = App::new(log, identity, secrets.claim_key, public_url, command_api::Settings { auto_approve_pizzas: true });
        let made = command_api::users::create_superuser(&app, &self.username, &password).await;
        app.close().await;
        let user_id = made.map_err(|Problem { detail, .. }| anyhow::anyhow!("{detail}"))?;
        eprintln!("{} is a superuser now ({user_id})", self.username);
        Ok(())
    }
}
