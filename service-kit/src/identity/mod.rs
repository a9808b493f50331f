//! Credentials and sessions: rows, not events, so that a revocation never waits for a projection. The command side writes
//! them, the query side reads them.

mod cookie;
mod passwords;
mod remembered;
mod store;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{Problem, Slug, config::PublicUrl, http::LoggedActor, time};

pub use passwords::HashError;
use remembered::Sessions;
use store::SessionRow;
pub use store::{IDENTITY, IdentityStore};

/// How long a session lasts.
pub const SESSION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The identity store with the keys to its cookies; clones share it.
#[derive(Clone)]
pub struct Identity {
    store: IdentityStore,
    jar: Arc<cookie::Jar>,
    hasher: Arc<passwords::Hasher>,
    sessions: Sessions,
    _refresh: Arc<DropGuard>,
}

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its own name.
    pub session_id: Uuid,
    /// Whose it is.
    pub subject: Uuid,
    /// When they logged in.
    pub started_at: DateTime<Utc>,
}

/// A session, without its secret.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SessionTimes {
    /// Its own name.
    pub session_id: Uuid,
    /// When its user logged in.
    pub started_at: DateTime<Utc>,
    /// When it runs out.
    pub expires_at: DateTime<Utc>,
}

impl Identity {
    /// Puts the parts together, within a runtime. Of `cookie_keys` the first seals, all open.
    #[must_use]
    pub fn new(store: IdentityStore, cookie_keys: &[[u8; 32]], public_url: &PublicUrl) -> Self {
        let (sessions, ended) = (Sessions::default(), CancellationToken::new());
        let refresh = {
            let (sessions, store) = (sessions.clone(), store.clone());
            async move { sessions.keep_fresh(&store).await }
        };
        tokio::spawn(ended.clone().run_until_cancelled_owned(refresh));
        Self {
            store,
            jar: Arc::new(cookie::Jar::new(cookie_keys, public_url.clone())),
            hasher: Arc::new(passwords::Hasher::default()),
            sessions,
            _refresh: Arc::new(ended.drop_guard()),
        }
    }

    /// Stores a password's hash under a new credential. It is inert until an event names it.
    ///
    /// # Errors
    /// Too many passwords are being hashed, or the store failed.
    pub async fn store_password(&self, credential_id: Uuid, subject: Uuid, password: String) -> Result<(), HashError> {
        let hash = self.hasher.hash(password).await?;
        Ok(self.store.insert_credential(credential_id, subject, &hash).await?)
    }

    /// Whether a password is that of a credential. `None`, a credential of nobody, takes as long.
    ///
    /// # Errors
    /// Too many passwords are being hashed, or the store failed.
    pub async fn is_password(&self, credential_id: Option<Uuid>, password: String) -> Result<bool, HashError> {
        let hash = self.store.hash(credential_id).await?;
        self.hasher.verify(password, hash).await
    }

    /// Begins a session; the answer is the `Set-Cookie` header for it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn begin_session(&self, subject: Uuid) -> Result<(Session, HeaderValue), sqlx::Error> {
        let session = Session { session_id: Uuid::now_v7(), subject, started_at: time::now() };
        let expires_at = session.started_at + SESSION;
        let sealed = self.jar.seal(session.session_id, expires_at).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let secret_hash = Sha256::digest(sealed.secret).to_vec();
        let row = SessionRow { subject, secret_hash, started_at: session.started_at, expires_at };
        self.store.insert_session(session.session_id, &row).await?;
        Ok((session, sealed.set_cookie))
    }

    /// The session that a request's cookie belongs to, if it is still valid.
    ///
    /// # Errors
    /// The store failed.
    pub async fn session(&self, headers: &HeaderMap) -> Result<Option<Session>, sqlx::Error> {
        let Some(opened) = self.jar.open(headers) else { return Ok(None) };
        let Some(row) = self.sessions.find(&self.store, opened.session_id).await? else { return Ok(None) };
        let same_secret = Sha256::digest(opened.secret)[..] == row.secret_hash;
        let valid = same_secret && row.expires_at > Utc::now();
        Ok(valid.then_some(Session { session_id: opened.session_id, subject: row.subject, started_at: row.started_at }))
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn answers(&self) -> Result<(), sqlx::Error> {
        self.store.is_empty().await.map(drop)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_session(&self, session_id: Uuid) -> Result<(), sqlx::Error> {
        self.store.delete_session(session_id).await?;
        self.sessions.forget(session_id);
        Ok(())
    }

    /// The `Set-Cookie` header of somebody who is not logged in any more.
    #[must_use]
    pub fn cleared_cookie(&self) -> HeaderValue {
        self.jar.cleared()
    }

    /// Ends all sessions of a subject. Again is harmless.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_sessions(&self, subject: Uuid) -> Result<(), sqlx::Error> {
        self.end(subject, None).await
    }

    /// Ends all sessions of a subject and removes all credentials but one: the password has changed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_all_but(&self, subject: Uuid, credential_id: Uuid) -> Result<(), sqlx::Error> {
        self.end(subject, Some(credential_id)).await
    }

    /// Removes all that is stored of a subject: credentials and sessions. Again is harmless.
    ///
    /// # Errors
    /// The store failed.
    pub async fn forget(&self, subject: Uuid) -> Result<(), sqlx::Error> {
        self.end(subject, Some(Uuid::nil())).await
    }

    async fn end(&self, subject: Uuid, kept_credential: Option<Uuid>) -> Result<(), sqlx::Error> {
        for session_id in self.store.end(subject, kept_credential).await? {
            self.sessions.forget(session_id);
        }
        Ok(())
    }

    /// The sessions of a subject that have not run out, the newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sessions_of(&self, subject: Uuid) -> Result<Vec<SessionTimes>, sqlx::Error> {
        self.store.sessions_of(subject).await
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// Who is asking, if anybody who is logged in. For requests that change something the cookie must not come from another site.
#[derive(Clone, Debug)]
pub struct Caller(pub Option<Session>);

impl Caller {
    /// The session.
    ///
    /// # Errors
    /// 401: nobody is logged in.
    pub fn required(self) -> Result<Session, Problem> {
        self.0.ok_or_else(Problem::unauthenticated)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Identity: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let identity = Identity::from_ref(state);
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(Problem::new(Slug::InvalidCredentials, "Invalid authentication header"));
        }
        let session = identity.session(&parts.headers).await?;
        if session.is_some() && !parts.method.is_safe() && identity.jar.is_foreign(&parts.headers) {
            return Err(Problem::new(Slug::Csrf, "The request was sent by another site."));
        }
        if let Some(session) = &session {
            LoggedActor::tell(&parts.extensions, session.subject);
        }
        Ok(Self(session))
    }
}
