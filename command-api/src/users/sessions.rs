//! Logging in and out.

use std::{net::SocketAddr, time::Instant};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use event_log::Partition;
use events::ids::superusers;
use service_kit::{Problem, Slug, fields::Parsed, identity::Caller, token::CONSISTENCY_TOKEN};
use uuid::Uuid;

use super::{Account, User, accounts::UserSelf, parse::LogIn};
use crate::{
    App,
    executor::{Known, Look},
    names::{Name, NameKind},
};

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/session", post(log_in).delete(log_out))
}

async fn log_in(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Parsed(body): Parsed<LogIn>,
) -> Result<Response, Problem> {
    let (account, cookie) = authenticate(&app, peer, &body).await?;
    let mut response = (StatusCode::OK, [(header::SET_COOKIE, cookie)], Json(UserSelf::new(&app, &account))).into_response();
    response.headers_mut().insert(CONSISTENCY_TOKEN.clone(), as_of_now(&app, account.user_id.0).await?);
    Ok(response)
}

/// What somebody who logs in may expect to read: their account as it is, and whether they are a superuser.
async fn as_of_now(app: &App, user_id: Uuid) -> Result<HeaderValue, Problem> {
    let mut partitions = vec![Partition::of(user_id), Partition::of(superusers())];
    partitions.dedup();
    let mut tokens = vec![];
    for partition in partitions {
        tokens.push(app.token(partition, app.log.head(partition).await?).to_string());
    }
    HeaderValue::try_from(tokens.join(", ")).map_err(Problem::internal)
}

/// Begins a session for who knows the password: the account as it is now, and the session's cookie.
///
/// # Errors
/// 401: the pair is wrong, or its account shut out; 429: that was so too often.
pub(super) async fn authenticate(app: &App, peer: SocketAddr, body: &LogIn) -> Result<(Account, HeaderValue), Problem> {
    let name = Name::new(NameKind::Username, body.username.as_str());
    app.attempts.allow(&name.folded, peer.ip(), Instant::now())?;
    loop {
        let holder = Look::around(app).holder(&name).await?;
        let (account, version) = match holder {
            Some(user_id) => at_current_version(app, user_id).await?.unzip(),
            None => (None, None),
        };
        let credential = account.as_ref().map(|account| account.credential_id.0);
        let right = app.identity.is_password(credential, body.password.clone().into_inner()).await?;
        let (Some(account), true) = (account, right) else {
            app.attempts.failed(&name.folded, peer.ip(), Instant::now());
            return Err(Problem::new(Slug::InvalidCredentials, "Wrong username or password."));
        };
        let (session, cookie) = app.identity.begin_session(account.user_id.0).await?;
        // What happened to the account meanwhile may have ended its sessions before this one was there.
        if at_current_version(app, account.user_id.0).await?.map(|(_, version)| version) != version {
            app.identity.end_session(session.session_id).await?;
            continue;
        }
        app.attempts.succeeded(&name.folded);
        return Ok((account, cookie));
    }
}

/// An account whose owner may log in, and its version, as the log has them now.
async fn at_current_version(app: &App, user_id: Uuid) -> Result<Option<(Account, i64)>, Problem> {
    loop {
        let look = Look::around(app);
        let found = look.find::<User>(user_id).await?;
        if look.is_current().await? {
            return Ok(match found {
                Some(Known { state: User::Active(account), version, .. }) if !account.suspended => Some((account, version)),
                Some(Known { state: User::Unknown | User::Active(_) | User::Deleted, .. }) | None => None,
            });
        }
    }
}

async fn log_out(State(app): State<App>, Caller(session): Caller) -> Result<Response, Problem> {
    if let Some(session) = session {
        app.identity.end_session(session.session_id).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, app.identity.cleared_cookie())]).into_response())
}
