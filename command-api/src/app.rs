//! What every route needs.

use std::{ops::Deref, sync::Arc};

use axum::extract::FromRef;
use clap::Args;
use event_log::{ClaimKey, EventLog};
use service_kit::{config::PublicUrl, identity::Identity};

use crate::{
    executor::{Cache, InFlight, Turns},
    users::Attempts,
};

/// What an operator may choose about commands.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Taking commands")]
pub struct Settings {
    /// Approve pizzas when they are created; otherwise staff approves them
    #[arg(long, env, default_value_t = true, action = clap::ArgAction::Set)]
    pub auto_approve_pizzas: bool,
    /// Answer all commands with 503, and let policies rest; queries go on
    #[arg(long, env, default_value_t = false, action = clap::ArgAction::Set)]
    pub read_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { auto_approve_pizzas: true, read_only: false }
    }
}

/// The command side's state; clones share it.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] shares.
pub struct Parts {
    /// The truth.
    pub log: Arc<EventLog>,
    /// Credentials and sessions.
    pub identity: Identity,
    /// The start of links.
    pub public_url: PublicUrl,
    /// As the operator chose.
    pub settings: Settings,
    pub(crate) claim_key: ClaimKey,
    pub(crate) cache: Cache,
    pub(crate) turns: Turns,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) attempts: Attempts,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(log: EventLog, identity: Identity, claim_key: [u8; 32], public_url: PublicUrl, settings: Settings) -> Self {
        Self(Arc::new(Parts {
            log: Arc::new(log),
            identity,
            public_url,
            settings,
            claim_key: ClaimKey::new(claim_key),
            cache: Cache::default(),
            turns: Turns::default(),
            in_flight: Arc::default(),
            attempts: Attempts::default(),
        }))
    }

    /// Waits until what was accepted is written, and closes the stores.
    pub async fn close(&self) {
        self.log.close().await;
        self.identity.close().await;
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<App> for Identity {
    fn from_ref(app: &App) -> Self {
        app.identity.clone()
    }
}
