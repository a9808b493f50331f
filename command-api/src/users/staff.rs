//! What staff does to the accounts of others.

use axum::{Router, body::Bytes, extract::State, http::StatusCode, response::Response, routing::put};
use events::{UserId, ids::superusers};
use service_kit::{Problem, Slug, fields::RequestBody, http::Id};
use uuid::Uuid;

use super::{
    Command, User, active, is_staff, is_superuser,
    parse::Suspension,
    superusers::{self, Superusers},
};
use crate::{
    App,
    answer::Author,
    executor::{Intent, Look},
};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/users/{id}/suspension", put(suspend).delete(reinstate))
        .route("/api/v1/users/{id}/staff", put(grant_staff).delete(revoke_staff))
        .route("/api/v1/users/{id}/superuser", put(grant_superuser).delete(revoke_superuser))
}

/// Staff only.
async fn require_staff(look: &Look, user_id: Uuid) -> Result<(), Problem> {
    let account = active(look, user_id).await?;
    if is_staff(look, &account).await? { Ok(()) } else { Err(not_allowed("This is for staff.")) }
}

/// Superusers only.
async fn require_superuser(look: &Look, user_id: Uuid) -> Result<(), Problem> {
    active(look, user_id).await?;
    if is_superuser(look, user_id).await? { Ok(()) } else { Err(not_allowed("This is for superusers.")) }
}

fn not_allowed(detail: &'static str) -> Problem {
    Problem::new(Slug::PermissionDenied, detail)
}

/// Shuts somebody out: their sessions end before anybody is answered.
async fn suspend(State(app): State<App>, author: Author, Id(user_id): Id, body: Bytes) -> Result<Response, Problem> {
    let reason = if body.is_empty() { None } else { Suspension::parse(&body)?.reason };
    let (staff, reason) = (author.session.subject, &reason);
    let done = app
        .execute::<User, _, _>(&author.origin, user_id, |look| async move {
            require_staff(&look, staff).await?;
            let is_superuser = is_superuser(&look, user_id).await?;
            let reason = reason.clone().map(Into::into);
            Ok(Intent { command: Command::Suspend { reason, is_superuser }, subject: user_id })
        })
        .await?;
    app.identity.end_sessions(user_id).await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}

async fn reinstate(State(app): State<App>, author: Author, Id(user_id): Id) -> Result<Response, Problem> {
    let staff = author.session.subject;
    let done = app
        .execute::<User, _, _>(&author.origin, user_id, |look| async move {
            require_staff(&look, staff).await?;
            Ok(Intent { command: Command::Reinstate, subject: user_id })
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}

async fn grant_staff(State(app): State<App>, author: Author, Id(user_id): Id) -> Result<Response, Problem> {
    set_staff(app, author, user_id, true).await
}

async fn revoke_staff(State(app): State<App>, author: Author, Id(user_id): Id) -> Result<Response, Problem> {
    set_staff(app, author, user_id, false).await
}

async fn set_staff(app: App, author: Author, user_id: Uuid, is_staff: bool) -> Result<Response, Problem> {
    let superuser = author.session.subject;
    let done = app
        .execute::<User, _, _>(&author.origin, user_id, |look| async move {
            require_superuser(&look, superuser).await?;
            Ok(Intent { command: Command::SetStaff { is_staff }, subject: user_id })
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}

async fn grant_superuser(State(app): State<App>, author: Author, Id(user_id): Id) -> Result<Response, Problem> {
    let user_id = UserId(user_id);
    change_superusers(app, author, user_id, superusers::Command::Grant { user_id }).await
}

async fn revoke_superuser(State(app): State<App>, author: Author, Id(user_id): Id) -> Result<Response, Problem> {
    let user_id = UserId(user_id);
    change_superusers(app, author, user_id, superusers::Command::Revoke { user_id }).await
}

/// The list is for accounts that are there: a grant rests on one that stays as it is.
async fn change_superusers(app: App, author: Author, user_id: UserId, command: superusers::Command) -> Result<Response, Problem> {
    let (superuser, command) = (author.session.subject, &command);
    let done = app
        .execute::<Superusers, _, _>(&author.origin, superusers(), |look| async move {
            require_superuser(&look, superuser).await?;
            let known = look.find::<User>(user_id.0).await?;
            if !known.is_some_and(|known| matches!(known.state, User::Active(_))) {
                return Err(Problem::not_found());
            }
            Ok(Intent { command: command.clone(), subject: superusers() })
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}
