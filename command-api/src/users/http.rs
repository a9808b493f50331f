//! Routes that change accounts and sessions.

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, post},
};
use chrono::{TimeDelta, Utc};
use event_log::Actor;
use events::{UserId, ids::CredentialId, users::UserDeletion};
use serde::Serialize;
use service_kit::{
    Problem, Slug,
    fields::Parsed,
    http::RequestId,
    identity::{Caller, Session},
    problem::FieldError,
};
use uuid::Uuid;

use super::{
    Account, Command, User, active, is_superuser,
    parse::{Deletion, LogIn, SignUp},
};
use crate::{
    App,
    answer::Author,
    executor::{Done, Intent, Look, Origin},
    names::{Name, NameKind},
};

/// Deleting oneself without a password needs a log-in that is not older than this.
const FRESH: TimeDelta = TimeDelta::minutes(10);

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/users", post(sign_up))
        .route("/api/v1/users/{id}", delete(delete_user))
        .route("/api/v1/users/me/deletion", post(delete_self))
        .route("/api/v1/session", post(log_in).delete(log_out))
}

/// What an account's owner is shown.
#[derive(Serialize)]
struct UserSelf<'a> {
    id: UserId,
    href: String,
    username: Option<&'a str>,
    collection: Option<String>,
    email: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
}

impl<'a> UserSelf<'a> {
    fn new(app: &App, account: &'a Account) -> Self {
        let clear = |value: &'a Option<events::Pii<String>>| value.as_ref().and_then(|v| v.clear()).map(String::as_str);
        let username = account.username.clear().map(String::as_str);
        Self {
            id: account.user_id,
            href: app.public_url.link(&format!("/api/v1/users/{}", account.user_id)),
            username,
            collection: username.map(|name| app.public_url.link(&format!("/api/v1/users/{name}/collection"))),
            email: clear(&account.email),
            first_name: clear(&account.first_name),
            last_name: clear(&account.last_name),
        }
    }
}

async fn sign_up(State(app): State<App>, RequestId(id): RequestId, Parsed(body): Parsed<SignUp>) -> Result<Response, Problem> {
    let user_id = UserId::now();
    let origin = Origin { actor: Actor::User(user_id.0), correlation_id: id.to_string(), causation_id: None };
    let done = open_account(&app, &origin, user_id, body).await?;
    let User::Active(account) = &done.after else { return Err(Problem::internal("a new account is not active")) };
    let (_, cookie) = app.identity.begin_session(user_id.0).await?;
    let body = UserSelf::new(&app, account);
    let mut response = done.created(&body.href.clone(), body);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Opens an account: the password's hash is stored first, then the event names it.
///
/// # Errors
/// A name is taken, or a store is not available.
pub(crate) async fn open_account(app: &App, origin: &Origin, user_id: UserId, body: SignUp) -> Result<Done<User>, Problem> {
    let credential_id = CredentialId::now();
    app.identity.store_password(credential_id.0, user_id.0, body.password.clone().into_inner()).await?;
    let SignUp { username, email, first_name, last_name, .. } = &body;
    let signed_up = app
        .execute(origin, user_id.0, |_| async move {
            let (username, email) = (username.clone(), email.clone());
            let (first_name, last_name) = (first_name.clone(), last_name.clone());
            let command = Command::SignUp { user_id, credential_id, username, email, first_name, last_name };
            Ok(Intent { command, subject: user_id.0 })
        })
        .await;
    if signed_up.as_ref().is_err_and(|problem| problem.slug.status().is_client_error()) {
        // No event will ever name it. After a fault it is not known whether one does.
        app.identity.forget(user_id.0).await?;
    }
    signed_up
}

async fn log_in(State(app): State<App>, Parsed(body): Parsed<LogIn>) -> Result<Response, Problem> {
    let name = Name::new(NameKind::Username, body.username.as_str());
    loop {
        let holder = Look::new(&app).holder(&name).await?;
        let (account, version) = match holder {
            Some(user_id) => at_current_version(&app, user_id).await?.unzip(),
            None => (None, None),
        };
        let credential = account.as_ref().map(|account| account.credential_id.0);
        let right = app.identity.is_password(credential, body.password.clone().into_inner()).await?;
        let (Some(account), true) = (account, right) else {
            return Err(Problem::new(Slug::InvalidCredentials, "Wrong username or password."));
        };
        let (session, cookie) = app.identity.begin_session(account.user_id.0).await?;
        // What happened to the account meanwhile may have ended its sessions before this one was there.
        if at_current_version(&app, account.user_id.0).await?.map(|(_, version)| version) != version {
            app.identity.end_session(session.session_id).await?;
            continue;
        }
        return Ok((StatusCode::OK, [(header::SET_COOKIE, cookie)], axum::Json(UserSelf::new(&app, &account))).into_response());
    }
}

/// An open account and its version, as the log has them now.
async fn at_current_version(app: &App, user_id: Uuid) -> Result<Option<(Account, i64)>, Problem> {
    loop {
        let look = Look::new(app);
        let found = look.find::<User>(user_id).await?;
        if look.is_current().await? {
            return Ok(match found {
                Some(known) => match known.state {
                    User::Active(account) => Some((account, known.version)),
                    User::Unknown | User::Deleted => None,
                },
                None => None,
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

async fn delete_self(State(app): State<App>, author: Author, Parsed(body): Parsed<Deletion>) -> Result<Response, Problem> {
    let user_id = author.session.subject;
    let account = active(&Look::new(&app), user_id).await?;
    if !app.identity.is_password(Some(account.credential_id.0), body.password.into_inner()).await? {
        return Err(Problem::validation(vec![FieldError::new("password", "wrong", "is wrong")]));
    }
    end_account(&app, &author.origin, user_id, user_id).await
}

async fn delete_user(State(app): State<App>, author: Author, Path(id): Path<String>) -> Result<Response, Problem> {
    let Session { subject, started_at, .. } = author.session;
    let user_id = if id == "me" { subject } else { id.parse().map_err(|_| Problem::not_found())? };
    if user_id == subject && Utc::now() - started_at > FRESH {
        return Err(Problem::new(Slug::PermissionDenied, "The log-in is too old: log in again, or send the password to /deletion."));
    }
    end_account(&app, &author.origin, subject, user_id).await
}

/// Ends an account for `actor`, and its sessions before anybody is answered.
async fn end_account(app: &App, origin: &Origin, actor: Uuid, user_id: Uuid) -> Result<Response, Problem> {
    let done = app
        .execute::<User, _, _>(origin, user_id, |look| async move {
            active(&look, actor).await?;
            if actor != user_id && !is_superuser(&look, actor).await? {
                return Err(Problem::not_found());
            }
            let reason = if actor == user_id { UserDeletion::SelfRequested } else { UserDeletion::Staff };
            let is_superuser = is_superuser(&look, user_id).await?;
            Ok(Intent { command: Command::Delete { reason, is_superuser }, subject: user_id })
        })
        .await?;
    app.identity.forget(user_id).await?;
    let mut response = done.empty(StatusCode::ACCEPTED);
    if actor == user_id {
        response.headers_mut().append(header::SET_COOKIE, app.identity.cleared_cookie());
    }
    Ok(response)
}
