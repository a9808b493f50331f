//! The relay as a process of its own.

use clap::Args;
use service_kit::{
    config::{Admin, ConfigError, Kafka, Relaying, Stores},
    health::Readiness,
    http::serve,
    log::open_log,
    opening::opened,
    relaying::Relaying as Relay,
    shutdown::on_signals,
    telemetry::Telemetry,
};

/// What can be set.
#[derive(Args, Debug)]
pub struct Config {
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    relaying: Relaying,
    #[command(flatten)]
    telemetry: Telemetry,
}

impl Config {
    /// Relays until SIGINT or SIGTERM.
    pub async fn serve(self) -> anyhow::Result<()> {
        let _exporting = self.telemetry.start("relay")?;
        let shutdown = on_signals()?;
        let admin = self.admin.bind(8094).await?;
        let opening = opened([&admin], async || open_log(&self.stores).await);
        let Some((mut log, _)) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };
        // It writes to the log's database: `tizza move` has to see it.
        let begun = log.begin_appending().await;
        let relayed = async {
            begun?;
            let relay = Relay::prepare(&log, &self.kafka, self.relaying.making(false)?).await?;
            let relay = relay.ok_or_else(|| ConfigError::new("KAFKA_URL", "the brokers are missing: HOST:PORT, several with commas"))?;
            let ready = Readiness::default().with_log(&log, Some(relay.topic()));
            tracing::info!(admin = %admin.local_addr()?, topic = relay.topic().name(), "relay relays");
            let follow = tokio::spawn({
                let log = log.clone();
                async move { log.follow().await }
            });
            let answering = tokio::spawn(serve(admin, ready.router(), shutdown.clone()));
            let relayed = relay.run(shutdown.clone()).await;
            follow.abort();
            shutdown.cancel();
            answering.await??;
            Ok(relayed?)
        };
        let relayed = relayed.await;
        log.close().await;
        relayed
    }
}
