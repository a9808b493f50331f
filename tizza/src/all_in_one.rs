//! All roles in one process, over SQLite files: for trying out, and for everyone who needs no more.

use std::io::Write;

use clap::Args;
use event_log::EventLog;
use read_store::ReadStore;
use service_kit::{
    config::{Admin, Listen, PublicUrl, Stores},
    http::serve,
    identity::Identity,
    secrets::Secrets,
    shutdown::on_signals,
    telemetry::Telemetry,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{admin, gateway};

/// What can be set.
#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    settings: command_api::Settings,
    #[command(flatten)]
    telemetry: Telemetry,
}

impl Config {
    /// Serves until SIGINT or SIGTERM: then requests are finished first, what follows from them second.
    pub async fn serve(self) -> anyhow::Result<()> {
        self.telemetry.start()?;
        let shutdown = on_signals()?;
        let listener = self.listen.bind(8080).await?;
        let admin_listener = self.admin.bind().await?;
        let public_url = self.listen.public_url(listener.local_addr()?)?;
        let secrets = Secrets::load(&self.stores.data_dir, self.stores.log().is_new())?;
        let log = self.stores.log().open(EventLog::open(&self.stores.log().url)).await?;
        let store = self.stores.read().open(ReadStore::open(&self.stores.read().url)).await?;
        let identity = self.stores.identity().open(Identity::open(&self.stores.identity().url, &secrets, &public_url)).await?;
        projector::prepare(&store).await?;

        let commands = command_api::App::new(log.clone(), identity.clone(), secrets.claim_key, public_url.clone(), self.settings);
        let queries = query_api::App::new(store.clone(), identity, public_url.clone());
        let (workers, stop) = (TaskTracker::new(), CancellationToken::new());
        command_api::start_policies(&commands, &workers, &stop);
        let projecting = workers.spawn(projector::run(log.clone(), store.clone(), stop.clone()));
        let followers = TaskTracker::new();
        let (followed_log, followed_store) = (log.clone(), store.clone());
        let following = followers.spawn(async move { tokio::join!(followed_log.follow(), followed_store.follow()) });
        let admin_address = admin_listener.local_addr()?;
        let admin = tokio::spawn(serve(admin_listener, admin::router(log, store.clone()), stop.clone()));

        tracing::info!(address = %listener.local_addr()?, admin = %admin_address, data = %self.stores.data_dir.display(), "tizza listens");
        welcome(&public_url, &self.stores);
        let router = gateway::router(command_api::router(commands.clone()), query_api::router(queries));
        serve(listener, router, shutdown).await?;
        stop.cancel();
        workers.close();
        workers.wait().await;
        projecting.await??;
        admin.await??;
        following.abort();
        commands.close().await;
        store.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// For the person who started it.
fn welcome(url: &PublicUrl, stores: &Stores) {
    let text = format!(
        "\n  Tizza listens on {}\n  Its data is in {}\n\n  Try:   curl {}\n  Then:  \"Follow one like\" in README.md\n  Stop:  Ctrl-C\n",
        url.link(""),
        stores.data_dir.display(),
        url.link("/"),
    );
    // A closed standard error is no reason not to serve.
    let _ = writeln!(std::io::stderr(), "{text}");
}
