//! Whether a service can do its work: its own `/readyz`, asked as a container's health check asks.

use std::{io::Write, time::Duration};

use anyhow::Context;
use clap::Args;
use reqwest::{Client, StatusCode};

/// Which service is asked.
#[derive(Args, Debug)]
pub struct Config {
    /// Port of the service's admin listener on this machine
    #[arg(long, env, default_value_t = 8090)]
    admin_port: u16,
    /// Where the admin listener is instead: http://HOST:PORT
    #[arg(long)]
    url: Option<String>,
    /// Seconds until it is given up, 1-300
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

impl Config {
    /// Prints what the service answers; an error unless it is ready, degraded or not.
    pub async fn run(self) -> anyhow::Result<()> {
        let start = self.url.unwrap_or_else(|| format!("http://127.0.0.1:{}", self.admin_port));
        let url = format!("{}/readyz", start.trim_end_matches('/'));
        // A proxy of the environment leads elsewhere.
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(self.timeout)).build()?;
        let answer =
            client.get(&url).send().await.map_err(reqwest::Error::without_url).with_context(|| format!("{url} does not answer"))?;
        let status = answer.status();
        let told = answer.text().await.map_err(reqwest::Error::without_url).with_context(|| format!("{url} breaks off"))?;
        writeln!(std::io::stdout(), "{}", told.trim_end())?;
        anyhow::ensure!(status == StatusCode::OK, "not ready: {url} answers {}", status.as_u16());
        Ok(())
    }
}
