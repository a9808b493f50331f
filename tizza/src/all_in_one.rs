//! All roles in one process: for trying out, over SQLite files, and for everyone who needs no more.

use std::io::Write;

use clap::Args;
use event_log::EventLog;
use read_store::ReadStore;
use service_kit::{
    config::{Admin, Listen, PublicUrl, Stores, or_close},
    http::serve,
    opening::opened,
    shutdown::on_signals,
    telemetry::Telemetry,
};
use tokio::net::TcpListener;
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
        let opening = opened([&listener, &admin_listener], async || open(&self.stores, &public_url, self.settings.clone()).await);
        let Some((commands, store)) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };

        let (address, admin, log) = (listener.local_addr()?, admin_listener.local_addr()?, self.stores.log()?.url);
        tracing::info!(%address, %admin, %log, "tizza listens");
        // For the person who started it. A closed standard error is no reason not to serve.
        let _ = writeln!(std::io::stderr(), "{}", welcome(&public_url, &log));
        let served = run(&commands, &store, listener, admin_listener, shutdown).await;
        commands.close().await;
        store.close().await;
        tracing::info!("stopped");
        served
    }
}

async fn open(stores: &Stores, public_url: &PublicUrl, settings: command_api::Settings) -> anyhow::Result<(command_api::App, ReadStore)> {
    let place = stores.read()?;
    let commands = command_api::service::open(stores, public_url, settings).await?;
    let store = or_close(place.open(ReadStore::open).await, commands.close()).await?;
    let prepared = place.answered(projector::prepare(commands.log.epochs(), &store).await);
    or_close(prepared, async { tokio::join!(commands.close(), store.close()) }).await?;
    Ok((commands, store))
}

async fn run(
    commands: &command_api::App,
    store: &ReadStore,
    listener: TcpListener,
    admin_listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let log = EventLog::clone(&commands.log);
    let queries = query_api::App::new(store.clone(), commands.identity.clone(), commands.public_url.clone());
    let (workers, stop) = (TaskTracker::new(), CancellationToken::new());
    command_api::start_policies(commands, &workers, &stop);
    let projecting = workers.spawn(projector::run(log.clone(), store.clone(), stop.clone()));
    let (followed_log, followed_store) = (log.clone(), store.clone());
    let following = tokio::spawn(async move { tokio::join!(followed_log.follow(), followed_store.follow()) });
    let admin = tokio::spawn(serve(admin_listener, admin::router(log, store.clone()), stop.clone()));

    let router = gateway::router(command_api::router(commands.clone()), query_api::router(queries));
    let served = serve(listener, router, shutdown).await;
    stop.cancel();
    workers.close();
    workers.wait().await;
    following.abort();
    projecting.await??;
    admin.await??;
    Ok(served?)
}

fn welcome(url: &PublicUrl, log: impl std::fmt::Display) -> String {
    let (start, home) = (url.link(""), url.link("/"));
    format!(
        "\n  Tizza listens on {start}\n  Its log is {log}\n\n  Try:   curl {home}\n  Then:  \"Follow one like\" in README.md\n  Stop:  Ctrl-C\n"
    )
}
