//! All roles in one process: for trying out, over SQLite files, and for everyone who needs no more.

use std::io::Write;

use axum::Router;
use clap::Args;
use event_log::EventLog;
use projector::{Following, Projector, operations::run::Offered};
use read_store::ReadStore;
use service_kit::{
    config::{Ack, Admin, Group, Kafka, Listen, Operators, PublicUrl, Relaying, Stores, or_close},
    health::Readiness,
    http::serve,
    opening::opened,
    relaying::Relaying as Relay,
    shutdown::on_signals,
    telemetry::Telemetry,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::gateway;

/// What can be set.
#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    operators: Operators,
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    settings: command_api::Settings,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    relaying: Relaying,
    #[command(flatten)]
    group: Group,
    /// What a command's answer waits for
    #[arg(long, env, value_enum, default_value_t = Ack::Log, help_heading = "Kafka")]
    ack: Ack,
    #[command(flatten)]
    telemetry: Telemetry,
}

impl Config {
    /// Serves until SIGINT or SIGTERM: then requests are finished first, what follows from them second.
    pub async fn serve(self) -> anyhow::Result<()> {
        let _exporting = self.telemetry.start("all-in-one")?;
        let shutdown = on_signals()?;
        let listener = self.listen.bind(8080).await?;
        let admin_listener = self.admin.bind(8090).await?;
        let admin = admin_listener.local_addr()?;
        let access = self.operators.access(admin.ip())?;
        let public_url = self.listen.public_url(listener.local_addr()?)?;
        let opening = opened([&listener, &admin_listener], async || open(&self.stores, &public_url, self.settings.clone()).await);
        let Some((commands, store)) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };

        let prepared = self.prepare(&commands, &store).await;
        let (projector, relaying) = or_close(prepared, async { tokio::join!(commands.close(), store.close()) }).await?;
        let (address, log) = (listener.local_addr()?, self.stores.log()?.url);
        let offered = Offered::new(projector.operations(), access, &self.stores.data_dir, admin, "all-in-one");
        let topic = relaying.as_ref().map(|(relaying, _)| relaying.topic().name().to_owned());
        tracing::info!(%address, %admin, %log, topic, "tizza listens");
        // For the person who started it. A closed standard error is no reason not to serve.
        let _ = writeln!(std::io::stderr(), "{}", welcome(&public_url, &log, topic.as_deref()));
        let parts = Parts { commands: &commands, store: &store, projector, relaying, operations: offered.routes };
        let served = run(parts, listener, admin_listener, shutdown).await;
        commands.close().await;
        store.close().await;
        tracing::info!("stopped");
        served
    }

    /// What folds, and what relays if there is a broker; then it folds what comes from there.
    async fn prepare(&self, commands: &command_api::App, store: &ReadStore) -> anyhow::Result<(Projector, Option<(Relay, Ack)>)> {
        let relay = Relay::prepare(&commands.log, &self.kafka, self.relaying.making(true)?).await?;
        let following = relay.as_ref().map(|relay| Following { topic: relay.topic().clone(), group: self.group.clone() });
        let projector = self.stores.read()?.answered(Projector::prepare(&commands.log, store, following).await)?;
        Ok((projector, relay.map(|relay| (relay, self.ack))))
    }
}

/// All that runs.
struct Parts<'a> {
    commands: &'a command_api::App,
    store: &'a ReadStore,
    projector: Projector,
    relaying: Option<(Relay, Ack)>,
    operations: Router,
}

async fn open(stores: &Stores, public_url: &PublicUrl, settings: command_api::Settings) -> anyhow::Result<(command_api::App, ReadStore)> {
    let place = stores.read()?;
    let commands = command_api::service::open(stores, public_url, settings).await?;
    let store = or_close(place.open(ReadStore::open).await, commands.close()).await?;
    Ok((commands, store))
}

async fn run(parts: Parts<'_>, listener: TcpListener, admin: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let Parts { commands, store, projector, relaying, operations } = parts;
    let log = EventLog::clone(&commands.log);
    let queries = query_api::App::new(store.clone(), commands.identity.clone(), commands.public_url.clone());
    let ready = projector::service::readiness(command_api::service::readiness(Readiness::default(), commands), &log, store, &projector);
    let ready = ready.with_log(&log, relaying.as_ref().map(|(relay, _)| relay.topic()));
    let (workers, stop) = (TaskTracker::new(), CancellationToken::new());
    command_api::start_policies(commands, &workers, &stop);
    let acknowledged = command_api::start_relay(commands, relaying, &workers, &stop);
    let projecting = workers.spawn({
        let stop = stop.clone();
        async move { projector.run(stop).await.inspect_err(|error| tracing::error!(%error, "nothing is folded any more")) }
    });
    let followed_store = store.clone();
    let following = tokio::spawn(async move { tokio::join!(log.follow(), followed_store.follow()) });
    let admin = tokio::spawn(serve(admin, ready.router().merge(operations), stop.clone()));

    let router = gateway::router(command_api::router(commands.clone(), acknowledged), query_api::router(queries));
    let served = serve(listener, router, shutdown).await;
    stop.cancel();
    workers.close();
    workers.wait().await;
    following.abort();
    projecting.await??;
    admin.await??;
    Ok(served?)
}

fn welcome(url: &PublicUrl, log: impl std::fmt::Display, topic: Option<&str>) -> String {
    let (start, home) = (url.link(""), url.link("/"));
    let topic = topic.map(|topic| format!("\n  Its topic is {topic}")).unwrap_or_default();
    format!(
        "\n  Tizza listens on {start}\n  Its log is {log}{topic}\n\n  Try:   curl {home}\n  Then:  \"Follow one like\" in README.md\n  Stop:  Ctrl-C\n"
    )
}
