//! `projector` as a program of its own.

use std::{collections::BTreeMap, convert::Infallible};

use clap::Parser;
use event_log::EventLog;
use read_store::ReadStore;
use serde_json::json;
use service_kit::{
    config::{Admin, ConfigError, Group, Kafka, Operators, Stores, or_close},
    health::{Health, Readiness},
    http::serve,
    log::open_log,
    opening::opened,
    shutdown::on_signals,
    telemetry::Telemetry,
};

use crate::{Following, Projector, lag, operations::run::Offered};

/// Folds events into the read store.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct Config {
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    operators: Operators,
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
        let _exporting = self.telemetry.start("projector")?;
        let shutdown = on_signals()?;
        let admin = self.admin.bind(8093).await?;
        let address = admin.local_addr()?;
        let access = self.operators.access(address.ip())?;
        let opening = opened([&admin], async || open(&self.stores).await);
        let Some((log, store)) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };
        let topic = self.kafka.topic(log.epochs())?;
        let following = topic.clone().map(|topic| Following { topic, group: self.group.clone() });
        let projector = self.stores.read()?.answered(Projector::prepare(&log, &store, following).await)?;
        let ready = readiness(Readiness::default(), &log, &store, &projector);
        let offered = Offered::new(projector.operations(), access, &self.stores.data_dir, address, "projector");
        tracing::info!(admin = %address, topic = topic.as_ref().map(event_log::kafka::Topic::name), "projector folds");
        let answering = tokio::spawn(serve(admin, ready.router().merge(offered.routes), shutdown.clone()));
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
    let (asked, own) = ((log.clone(), store.clone()), store.clone());
    let lags = move || {
        let (log, store) = asked.clone();
        async move { lag::of_views(&log, &store).await }
    };
    let checks = checks.with_log(log, None).measuring(lags.clone(), lag::measured).with("lag_events", move || {
        let asked = lags();
        async move {
            match asked.await {
                Ok(lags) => Health::Fine(json!(lag::in_events(&lags))),
                Err(error) => Health::of::<(), _>(Err(error)),
            }
        }
    });
    let checks = checks.with("read_store", move || {
        let store = own.clone();
        async move { Health::of(store.checkpoints().await) }
    });
    let checks = with_parked(checks, store);
    let Some(topic) = projector.topic() else { return checks };
    let followed = topic.clone();
    checks.measuring(move || std::future::ready(Ok::<_, Infallible>(followed.following())), lag::followed).with("topic", move || {
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

/// What is parked stays so until somebody looks after it, and all else is folded.
fn with_parked(checks: Readiness, store: &ReadStore) -> Readiness {
    let store = store.clone();
    let counts = move || {
        let store = store.clone();
        async move { store.parked_counts().await }
    };
    checks.measuring(counts.clone(), lag::parked).with("parked_events", move || {
        let asked = counts();
        async move {
            match asked.await {
                Ok(counts) => {
                    let parked: BTreeMap<_, _> = counts.into_iter().filter(|(_, events)| *events > 0).collect();
                    let told = json!(parked);
                    if parked.is_empty() { Health::Fine(told) } else { Health::Degraded(told) }
                }
                Err(error) => Health::of::<(), _>(Err(error)),
            }
        }
    })
}
