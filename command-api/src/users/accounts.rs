//! Opening, changing and ending one's own account.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::{delete, patch, post, put},
};
use chrono::{TimeDelta, Utc};
use event_log::Actor;
use events::{
    Pii, UserId,
    ids::CredentialId,
    users::{Settings, UserDeletion},
};
use serde::Serialize;
use service_kit::{Problem, Slug, fields::Parsed, identity::Session, problem::FieldError};
use uuid::Uuid;

use super::{
    Account, Command, ProfileChange, User, active, is_staff, is_superuser,
    parse::{Deletion, PasswordChange, ProfilePatch, SignUp},
};
use crate::{
    App,
    answer::Author,
    executor::{Done, Intent, Look},
    origin::{Origin, Sent},
};

/// Who sends the commands of those who are not logged in: with the same key and the same body, password and all, it is the same person.
pub(super) const ANYBODY: &str = "anybody";
/// Deleting oneself without a password needs a log-in that is not older than this.
const FRESH: TimeDelta = TimeDelta::minutes(10);

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/users", post(sign_up))
        .route("/api/v1/users/me", patch(change_profile).delete(delete_me))
        .route("/api/v1/users/me/password", put(change_password))
        .route("/api/v1/users/me/deletion", post(delete_self))
        .route("/api/v1/users/{id}", delete(delete_user))
}

/// What an account's owner is shown.
#[derive(Serialize)]
pub struct UserSelf<'a> {
    id: UserId,
    href: String,
    username: Option<&'a str>,
    collection: Option<String>,
    email: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    settings: Settings,
    is_active: bool,
    is_staff: bool,
}

impl<'a> UserSelf<'a> {
    pub fn new(app: &App, account: &'a Account) -> Self {
        let username = account.username.clear().map(String::as_str);
        Self {
            id: account.user_id,
            href: app.public_url.link(&format!("/api/v1/users/{}", account.user_id)),
            username,
            collection: username.map(|name| app.public_url.link(&format!("/api/v1/users/{name}/collection"))),
            email: clear(account.email.as_ref()),
            first_name: clear(account.first_name.as_ref()),
            last_name: clear(account.last_name.as_ref()),
            settings: account.settings,
            is_active: !account.suspended,
            is_staff: account.is_staff,
        }
    }
}

fn clear(value: Option<&Pii<String>>) -> Option<&str> {
    value.and_then(Pii::clear).map(String::as_str)
}

/// The account that a command left behind.
fn account(done: &Done<User>) -> Result<&Account, Problem> {
    match &done.after {
        User::Active(account) => Ok(account),
        User::Unknown | User::Deleted => Err(Problem::internal("the account is not active")),
    }
}

async fn sign_up(State(app): State<App>, sent: Sent, Parsed(body): Parsed<SignUp>) -> Result<Response, Problem> {
    let user_id = UserId::now();
    let origin = sent.by(&app, ANYBODY, Actor::User(user_id.0));
    let done = open_account(&app, &origin, user_id, body).await?;
    let (_, cookie) = app.identity.begin_session(done.stream_id).await?;
    let body = UserSelf::new(&app, account(&done)?);
    let mut response = done.created(&body.href.clone(), body);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Opens an account: the password's hash is stored first, then the event names it.
///
/// # Errors
/// A name is taken, the password says who its owner is, or a store is not available.
pub(super) async fn open_account(app: &App, origin: &Origin, user_id: UserId, body: SignUp) -> Result<Done<User>, Problem> {
    if let Some(done) = app.repeated(origin.key(app, user_id.0).as_ref()).await? {
        return Ok(done);
    }
    let SignUp { username, password, email, first_name, last_name } = &body;
    let names = [first_name.as_ref().map(|name| name.as_str()), last_name.as_ref().map(|name| name.as_str())];
    let about = names.into_iter().chain([Some(username.as_str()), email.as_ref().map(|email| email.as_str())]);
    password.unlike("password", about.flatten())?;
    let credential_id = CredentialId::now();
    app.identity.store_password(credential_id.0, user_id.0, password.clone().into_inner()).await?;
    let signed_up = app
        .execute(origin, user_id.0, |look| async move {
            look.assume_new(user_id.0);
            let (username, email) = (username.clone(), email.clone());
            let (first_name, last_name) = (first_name.clone(), last_name.clone());
            let command = Command::SignUp { user_id, credential_id, username, email, first_name, last_name };
            Ok(Intent { command, subject: user_id.0 })
        })
        .await;
    let named = match &signed_up {
        Ok(done) => done.stream_id == user_id.0,
        Err(problem) => !problem.slug.status().is_client_error(),
    };
    if !named {
        // No event will ever name it. After a fault it is not known whether one does.
        app.identity.forget(user_id.0).await?;
    }
    signed_up
}

async fn change_profile(State(app): State<App>, author: Author, Parsed(body): Parsed<ProfilePatch>) -> Result<Response, Problem> {
    let user_id = author.session.subject;
    let body = &body;
    let done = app
        .execute::<User, _, _>(&author.origin, user_id, |look| async move {
            active(&look, user_id).await?;
            let ProfilePatch { email, first_name, last_name, settings } = body.clone();
            Ok(Intent { command: Command::ChangeProfile(ProfileChange { email, first_name, last_name, settings }), subject: user_id })
        })
        .await?;
    Ok(done.with(StatusCode::OK, UserSelf::new(&app, account(&done)?)))
}

async fn change_password(State(app): State<App>, author: Author, Parsed(body): Parsed<PasswordChange>) -> Result<Response, Problem> {
    let (done, cookie) = set_password(&app, &author, body).await?;
    let mut response = done.empty(StatusCode::NO_CONTENT);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Changes the password: all other sessions end, the caller's is begun anew.
///
/// # Errors
/// 400: the old one is wrong, or the new one says who its owner is.
pub(super) async fn set_password(app: &App, author: &Author, body: PasswordChange) -> Result<(Done<User>, HeaderValue), Problem> {
    let user_id = author.session.subject;
    let done = match app.repeated(author.origin.key(app, user_id).as_ref()).await? {
        Some(done) => done,
        None => exchange_password(app, author, body).await?,
    };
    let current = active(&Look::around(app), user_id).await?.credential_id;
    app.identity.end_all_but(user_id, current.0).await?;
    let (_, cookie) = app.identity.begin_session(user_id).await?;
    Ok((done, cookie))
}

async fn exchange_password(app: &App, author: &Author, body: PasswordChange) -> Result<Done<User>, Problem> {
    let user_id = author.session.subject;
    let known = active(&Look::around(app), user_id).await?;
    require_password(app, &known, "old_password", body.old_password.into_inner()).await?;
    let about = [Some(&known.username), known.email.as_ref(), known.first_name.as_ref(), known.last_name.as_ref()];
    body.new_password.unlike("new_password", about.into_iter().filter_map(clear))?;

    let (credential_id, expected) = (CredentialId::now(), known.credential_id);
    app.identity.store_password(credential_id.0, user_id, body.new_password.into_inner()).await?;
    app.execute::<User, _, _>(&author.origin, user_id, |look| async move {
        // Of two who change it at once, the second has given a password that is the old one no more.
        if active(&look, user_id).await?.credential_id != expected {
            return Err(wrong_password("old_password"));
        }
        Ok(Intent { command: Command::ChangePassword { credential_id }, subject: user_id })
    })
    .await
}

async fn require_password(app: &App, account: &Account, field: &str, given: String) -> Result<(), Problem> {
    let right = app.identity.is_password(Some(account.credential_id.0), given).await?;
    if right { Ok(()) } else { Err(wrong_password(field)) }
}

fn wrong_password(field: &str) -> Problem {
    Problem::validation(vec![FieldError::new(field, "wrong", "is wrong")])
}

async fn delete_self(State(app): State<App>, author: Author, Parsed(body): Parsed<Deletion>) -> Result<Response, Problem> {
    let user_id = author.session.subject;
    if app.repeated::<User>(author.origin.key(&app, user_id).as_ref()).await?.is_none() {
        let account = active(&Look::around(&app), user_id).await?;
        require_password(&app, &account, "password", body.password.into_inner()).await?;
    }
    end_account(&app, &author.origin, user_id, user_id).await
}

async fn delete_me(State(app): State<App>, author: Author) -> Result<Response, Problem> {
    let user_id = author.session.subject;
    end_another(&app, &author, user_id).await
}

async fn delete_user(State(app): State<App>, author: Author, Path(id): Path<String>) -> Result<Response, Problem> {
    let user_id = id.parse().map_err(|_| Problem::not_found())?;
    end_another(&app, &author, user_id).await
}

/// Ends an account without its password: somebody else's, or one's own soon after logging in.
async fn end_another(app: &App, author: &Author, user_id: Uuid) -> Result<Response, Problem> {
    let Session { subject, started_at, .. } = author.session;
    if user_id == subject && Utc::now() - started_at > FRESH {
        return Err(Problem::new(Slug::PermissionDenied, "The log-in is too old: log in again, or send the password to /deletion."));
    }
    end_account(app, &author.origin, subject, user_id).await
}

/// Ends an account for `actor`; its sessions end and its key is destroyed before anybody is answered.
async fn end_account(app: &App, origin: &Origin, actor: Uuid, user_id: Uuid) -> Result<Response, Problem> {
    let done = app
        .execute::<User, _, _>(origin, user_id, |look| async move {
            let account = active(&look, actor).await?;
            if actor != user_id && !is_staff(&look, &account).await? {
                return Err(Problem::not_found());
            }
            let reason = if actor == user_id { UserDeletion::SelfRequested } else { UserDeletion::Staff };
            let is_superuser = is_superuser(&look, user_id).await?;
            Ok(Intent { command: Command::Delete { reason, is_superuser }, subject: user_id })
        })
        .await?;
    app.identity.forget(user_id).await?;
    app.log.shred(user_id).await?;
    let mut response = done.empty(StatusCode::ACCEPTED);
    if actor == user_id {
        response.headers_mut().append(header::SET_COOKIE, app.identity.cleared_cookie());
    }
    Ok(response)
}
