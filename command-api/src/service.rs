//! `command-api` as a program of its own.

use std::convert::Infallible;

use clap::Parser;
use event_log::{ClaimKey, EventLog};
use metrics::gauge;
use service_kit::{
    config::{Ack, Admin, ConfigError, Kafka, Listen, PublicUrl, Relaying, Stores, or_close},
    health::{Health, Readiness},
    http::serve,
    identity::{Identity, IdentityStore},
    log::open_log,
    opening::opened,
    relaying::Relaying as Relay,
    secrets::{Key, Secrets},
    shutdown::on_signals,
    telemetry::Telemetry,
};

use crate::{App, Settings, policy, run};

/// Takes commands and appends events to the log.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct Config {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    relaying: Relaying,
    /// Relay the log to the topic; false where `tizza relay` does
    #[arg(long, env, default_value_t = true, action = clap::ArgAction::Set, help_heading = "Kafka")]
    relay: bool,
    /// What a command's answer waits for
    #[arg(long, env, value_enum, default_value_t = Ack::Log, help_heading = "Kafka")]
    ack: Ack,
    #[command(flatten)]
    telemetry: Telemetry,
}

impl Config {
    /// Serves until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// A setting or a store cannot be used.
    pub async fn serve(self) -> anyhow::Result<()> {
        let _exporting = self.telemetry.start("command-api")?;
        let making = self.relaying.making(false)?;
        let shutdown = on_signals()?;
        let (listener, admin) = (self.listen.bind(8081).await?, self.admin.bind(8091).await?);
        let public_url = self.listen.public_url(listener.local_addr()?)?;
        let opening = opened([&listener, &admin], async || open(&self.stores, &public_url, self.settings.clone()).await);
        let Some(app) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };
        let relaying = or_close(Relay::prepare(&app.log, &self.kafka, making).await, app.close()).await?;
        let ready = readiness(Readiness::default(), &app).with_log(&app.log, relaying.as_ref().map(Relay::topic));
        tracing::info!(address = %listener.local_addr()?, admin = %admin.local_addr()?, "command-api listens");
        let answering = tokio::spawn(serve(admin, ready.router(), shutdown.clone()));
        let relaying = relaying.filter(|_| self.relay).map(|relaying| (relaying, self.ack));
        let served = run(app.clone(), listener, relaying, shutdown).await;
        answering.await??;
        app.close().await;
        Ok(served?)
    }
}

/// With what commands depend on besides the log.
#[must_use]
pub fn readiness(checks: Readiness, app: &App) -> Readiness {
    let (identity, log, asked) = (app.identity.clone(), app.log.clone(), app.log.clone());
    let checks = checks.measuring(
        move || std::future::ready(Ok::<_, Infallible>(log.waiting())),
        |waiting| gauge!("tizza_append_queue").set(waiting.map_or(f64::NAN, |waiting| waiting as f64)),
    );
    let parked = move || {
        let log = asked.clone();
        async move { log.policy_parked_counts().await }
    };
    checks.measuring(parked, measured_parked).with("identity", move || {
        let identity = identity.clone();
        async move { Health::of(identity.answers().await) }
    })
}

/// A policy that has laid aside nothing is told, too.
fn measured_parked(found: Option<Vec<(String, i64)>>) {
    let none = if found.is_some() { 0.0 } else { f64::NAN };
    let parked = |by: String| gauge!("tizza_parked_events", "by" => by);
    policy::NAMES.iter().for_each(|policy| parked((*policy).to_owned()).set(none));
    found.into_iter().flatten().for_each(|(policy, events)| parked(policy).set(events as f64));
}

/// Opens what commands need: log, keys and identity store.
///
/// # Errors
/// A setting, a store or a key cannot be used; what was opened is closed again.
pub async fn open(stores: &Stores, public_url: &PublicUrl, settings: Settings) -> Result<App, ConfigError> {
    let (log_place, place) = (stores.log()?, stores.identity()?);
    let (mut log, secrets) = open_log(stores).await?;
    if !settings.read_only {
        let begun = log.begin_appending().await.map_err(|error| log_place.wrong(error));
        or_close(begun, log.close()).await?;
    }
    let identity = or_close(place.open(IdentityStore::open).await, log.close()).await?;
    let keys = async { Ok((secrets.cookie_keys()?, claim_key(stores, &log, &secrets).await?)) };
    let (cookie_keys, claim_key) = or_close(keys.await, async { tokio::join!(log.close(), identity.close()) }).await?;
    let identity = Identity::new(identity, &cookie_keys, public_url);
    Ok(App::new(log, identity, claim_key, public_url.clone(), settings))
}

/// The claim key, if it is the one that the log was written with.
async fn claim_key(stores: &Stores, log: &EventLog, secrets: &Secrets) -> Result<Key, ConfigError> {
    let key = secrets.claim_key()?;
    if stores.log()?.answered(log.knows(&ClaimKey::new(key)).await)? {
        return Ok(key);
    }
    Err(ConfigError::new("CLAIM_KEY", "the log was written with another key; bring that one back"))
}
