//! `query-api` as a program of its own.

use clap::Parser;
use read_store::ReadStore;
use service_kit::{
    config::{Admin, ConfigError, Listen, PublicUrl, Stores, or_close},
    health::{Health, Readiness},
    http::serve,
    identity::{Identity, IdentityStore},
    opening::opened,
    secrets::Secrets,
    shutdown::on_signals,
    telemetry::Telemetry,
};

use crate::{App, run};

/// Answers queries from the read store.
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
    telemetry: Telemetry,
}

impl Config {
    /// Serves until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// A setting or a store cannot be used.
    pub async fn serve(self) -> anyhow::Result<()> {
        let _exporting = self.telemetry.start("query-api")?;
        let shutdown = on_signals()?;
        let (listener, admin) = (self.listen.bind(8082).await?, self.admin.bind(8092).await?);
        let public_url = self.listen.public_url(listener.local_addr()?)?;
        let opening = opened([&listener, &admin], async || open(&self.stores, &public_url).await);
        let Some(app) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };
        tracing::info!(address = %listener.local_addr()?, admin = %admin.local_addr()?, "query-api listens");
        let answering = tokio::spawn(serve(admin, readiness(&app).router(), shutdown.clone()));
        let served = run(app.clone(), listener, shutdown).await;
        answering.await??;
        app.identity.close().await;
        app.store.close().await;
        Ok(served?)
    }
}

fn readiness(app: &App) -> Readiness {
    let (identity, store) = (app.identity.clone(), app.store.clone());
    let identity = move || {
        let identity = identity.clone();
        async move { Health::of(identity.answers().await) }
    };
    let store = move || {
        let store = store.clone();
        async move { Health::of(store.live_of(&read_store::views::ALL).await) }
    };
    Readiness::default().with("identity", identity).with("read_store", store)
}

/// Opens the read store and the identity store. The keys to cookies are made as long as nobody has a cookie.
async fn open(stores: &Stores, public_url: &PublicUrl) -> Result<App, ConfigError> {
    let (place, identity_place) = (stores.read()?, stores.identity()?);
    let store = place.open(ReadStore::open).await?;
    let identity = or_close(identity_place.open(IdentityStore::open).await, store.close()).await?;
    let is_new = identity_place.answered(identity.is_empty().await);
    let cookie_keys = is_new.and_then(|is_new| Secrets::new(&stores.data_dir, is_new).cookie_keys());
    let cookie_keys = or_close(cookie_keys, async { tokio::join!(store.close(), identity.close()) }).await?;
    Ok(App::new(store, Identity::new(identity, &cookie_keys, public_url), public_url.clone()))
}
