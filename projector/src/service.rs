//! `projector` as a program of its own.

use std::collections::HashMap;

use clap::Parser;
use event_log::{EventLog, Partition};
use read_store::{ReadError, ReadStore, views};
use serde_json::{Value, json};
use service_kit::{
    config::{Admin, ConfigError, Group, Kafka, Stores, or_close},
    health::{Health, Readiness},
    http::serve,
    log::open_log,
    opening::opened,
    shutdown::on_signals,
    telemetry::Telemetry,
};

use crate::{Following, Projector};

/// Folds events into the read store.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct Config {
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    group: Group,
    #[command(flatten)]
    telemetry: Telemetry,
}

impl Config {
    /// Folds until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// A setting or a store cannot be used.
    pub async fn serve(self) -> anyhow::Result<()> {
        self.telemetry.start()?;
        let shutdown = on_signals()?;
        let admin = self.admin.bind(8093).await?;
        let opening = opened([&admin], async || open(&self.stores).await);
        let Some((log, store)) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };
        let topic = self.kafka.topic(log.epochs())?;
        let following = topic.clone().map(|topic| Following { topic, group: self.group.clone() });
        let projector = self.stores.read()?.answered(Projector::prepare(&log, &store, following).await)?;
        let ready = readiness(Readiness::default(), &log, &store, &projector);
        tracing::info!(admin = %admin.local_addr()?, topic = topic.as_ref().map(event_log::kafka::Topic::name), "projector folds");
        let answering = tokio::spawn(serve(admin, ready.router(), shutdown.clone()));
        // Who follows a topic hears of everything there.
        let follow = topic.is_none().then(|| {
            let log = log.clone();
            tokio::spawn(async move { log.follow().await })
        });
        let folded = projector.run(shutdown).await;
        if let Some(follow) = follow {
            follow.abort();
        }
        answering.await??;
        log.close().await;
        store.close().await;
        Ok(folded?)
    }
}

/// Opens the log, the keys to what is sealed in it, and the read store.
async fn open(stores: &Stores) -> Result<(EventLog, ReadStore), ConfigError> {
    let place = stores.read()?;
    let (log, _) = open_log(stores).await?;
    let store = or_close(place.open(ReadStore::open).await, log.close()).await?;
    Ok((log, store))
}

/// With what a projector depends on, and how far it is behind.
#[must_use]
pub fn readiness(checks: Readiness, log: &EventLog, store: &ReadStore, projector: &Projector) -> Readiness {
    let lag = {
        let (log, store) = (log.clone(), store.clone());
        move || {
            let (log, store) = (log.clone(), store.clone());
            async move {
                match lags(&log, &store).await {
                    Ok(lags) => Health::Fine(json!(lags)),
                    Err(error) => Health::of::<(), _>(Err(error)),
                }
            }
        }
    };
    let checks = checks.with_log(log, None).with("lag_events", lag).with("read_store", {
        let store = store.clone();
        move || {
            let store = store.clone();
            async move { Health::of(store.checkpoints().await) }
        }
    });
    let Some(topic) = projector.topic() else { return checks };
    checks.with("topic", move || {
        let (following, refused) = (topic.following(), topic.refused());
        async move {
            let mut told = json!({
                "partitions": following.partitions, "rebalances": following.rebalances, "foreign_records": following.strangers,
            });
            if let Some(why) = refused {
                told["refused"] = why.into();
            }
            if following.is_connected { Health::Fine(told) } else { Health::Degraded(told) }
        }
    })
}

/// How many events each view has to fold yet.
async fn lags(log: &EventLog, store: &ReadStore) -> Result<HashMap<&'static str, Value>, ReadError> {
    let live = store.live().await?;
    let checkpoints = store.checkpoints().await?;
    let mut heads = 0;
    for partition in Partition::all() {
        heads += log.head(partition).await?;
    }
    let lag = |view: &read_store::View| {
        let folded: i64 = checkpoints.get(&(view.name.to_owned(), live.generation(view))).map_or(0, |positions| positions.iter().sum());
        heads - folded
    };
    Ok(views::ALL.iter().map(|view| (view.name, lag(view).into())).collect())
}
