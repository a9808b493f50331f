//! What every route needs.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, request::Parts},
};
use database::Pool;
use read_store::{Live, PARTITIONS, ReadError, ReadStore, View};
use service_kit::{
    Problem, Slug,
    config::PublicUrl,
    identity::{Caller, Identity},
    token::{CONSISTENCY_TOKEN, tokens},
};
use uuid::Uuid;

use crate::pizzas::Shelf;

/// How long a query waits for the rows that a token asks for.
const WAIT: Duration = Duration::from_secs(2);
/// How long a client may make it wait (`Prefer: wait=N`, RFC 7240, section 4.3).
const MAX_WAIT: u64 = 30;

/// The query side's state; clones share it.
#[derive(Clone)]
pub struct App {
    /// The rows.
    pub store: ReadStore,
    /// Sessions.
    pub identity: Identity,
    /// The start of links.
    pub public_url: PublicUrl,
    pub(crate) shelf: Arc<Shelf>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(store: ReadStore, identity: Identity, public_url: PublicUrl) -> Self {
        Self { store, identity, public_url, shelf: Arc::default() }
    }
}

impl FromRef<App> for Identity {
    fn from_ref(app: &App) -> Self {
        app.identity.clone()
    }
}

/// Who asks, and what their answer must include.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Who is logged in, if anybody.
    pub viewer: Option<Uuid>,
    pub(crate) places: Vec<(u16, i64)>,
    wait: Duration,
}

impl FromRequestParts<App> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Caller(session) = Caller::from_request_parts(parts, app).await?;
        let tokens = if parts.headers.contains_key(&CONSISTENCY_TOKEN) {
            let epoch = app.store.live().await?.epoch;
            tokens(&parts.headers, epoch, PARTITIONS)?
        } else {
            vec![]
        };
        Ok(Self {
            viewer: session.map(|session| session.subject),
            places: tokens.iter().map(|token| (token.partition, token.position)).collect(),
            wait: wait(&parts.headers),
        })
    }
}

impl Reader {
    /// Who is logged in.
    ///
    /// # Errors
    /// 401: nobody.
    pub fn required(&self) -> Result<Uuid, Problem> {
        self.viewer.ok_or_else(Problem::unauthenticated)
    }

    /// Rows of some views that include all that was asked for. No connection is held while waiting.
    ///
    /// # Errors
    /// 503: a view is not built; 504: it is behind.
    pub async fn rows(&self, app: &App, views: &[&View]) -> Result<RowsOf, Problem> {
        let live = app.store.live_of(views).await.map_err(not_there)?;
        app.store.wait(&live, views, &self.places, self.wait).await.map_err(not_there)?;
        Ok(RowsOf { live, db: app.store.database.reader.clone() })
    }
}

/// Where to read: statements are expanded for one generation of each view, the same for a whole request.
#[derive(Debug)]
pub struct RowsOf {
    /// The generations.
    pub live: Arc<Live>,
    /// The rows.
    pub db: Pool,
}

fn not_there(error: ReadError) -> Problem {
    match error {
        ReadError::NotBuilt { .. } => Problem::new(Slug::Unavailable, format!("{error}.")),
        ReadError::Behind { .. } => Problem::new(Slug::ProjectionBehind, format!("The rows do not include the token yet: {error}.")),
        ReadError::Database(error) => error.into(),
    }
}

/// What cannot be understood of a preference is ignored (RFC 7240, section 2).
fn wait(headers: &HeaderMap) -> Duration {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
    let mut waits = preferences.filter_map(|preference| preference.trim().strip_prefix("wait=")?.parse().ok());
    waits.next().map_or(WAIT, |seconds: u64| Duration::from_secs(seconds.min(MAX_WAIT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_may_wait_longer_but_not_for_ever() {
        let wait = |text: &'static str| wait(&HeaderMap::from_iter([("prefer".parse().unwrap(), text.parse().unwrap())])).as_secs();
        assert_eq!(wait("wait=10"), 10);
        assert_eq!(wait("respond-async, wait=0"), 0);
        assert_eq!(wait("wait=999"), 30);
        assert_eq!(wait("wait=soon"), 2);
    }
}
