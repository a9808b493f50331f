//! Copies of the stores that cannot be made anew.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use database::{BackupError, StoreUrl};
use service_kit::{config::Stores, telemetry};

/// Which stores, and where to.
#[derive(Args, Debug)]
pub struct Config {
    /// A folder; made if it is not there, refused if it holds a copy already
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    stores: Stores,
}

impl Config {
    /// Copies them while they are in use. The log goes first: whatever key or credential an event in it needs is then in the others.
    pub async fn run(self) -> anyhow::Result<()> {
        telemetry::on_stderr();
        let Self { to, stores } = self;
        let places = [(stores.log()?, "log.db"), (stores.keys()?, "keys.db"), (stores.identity()?, "identity.db")];
        for (place, _) in &places {
            ensure!(matches!(place.url, StoreUrl::Sqlite(_)), BackupError::Server(place.url.clone()));
            ensure!(!place.is_missing(), "there is no store at {}", place.url);
        }
        std::fs::create_dir_all(&to).with_context(|| to.display().to_string())?;
        for (place, name) in places {
            database::backup(&place.url, &to.join(name)).await.with_context(|| place.url.to_string())?;
            println!("{}", to.join(name).display());
        }
        Ok(())
    }
}
