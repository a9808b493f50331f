//! Accounts.

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use read_store::views::USERS;
use serde::Serialize;
use serde_json::json;
use service_kit::{Problem, Slug};
use uuid::Uuid;

use crate::app::{App, Reader, RowsOf};

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/session", get(me)).route("/api/v1/users/me", get(me)).route("/api/v1/users/{id}", get(one))
}

#[derive(sqlx::FromRow)]
struct UserRow {
    user_id: Uuid,
    username: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    is_superuser: bool,
    joined_at: DateTime<Utc>,
}

/// What an account's owner and staff are shown.
#[derive(Serialize)]
struct UserSelf {
    id: Uuid,
    href: String,
    username: String,
    collection: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    is_superuser: bool,
    joined_at: DateTime<Utc>,
}

macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "select u.user_id, u.username, u.email, u.first_name, u.last_name, u.joined_at,
                exists (select 1 from {superusers} s where s.user_id = u.user_id) as is_superuser
            from {users} u ",
            $rest
        )
    };
}

const BY_ID: &str = select_users!("where u.user_id = $1");
/// A name that was given back and taken again may be there twice for a moment: the newer one has it.
const BY_NAME: &str = select_users!("where u.username_key = $1 order by u.joined_at desc limit 1");

async fn me(State(app): State<App>, reader: Reader) -> Result<Response, Problem> {
    let viewer = reader.required()?;
    let rows = reader.rows(&app, &[&USERS]).await?;
    let Some(user) = by_id(&rows, viewer).await? else {
        // A session without its account: the account is not folded yet, for the sessions of the deleted are gone.
        return Err(Problem::new(Slug::Unavailable, "Your account is not there yet; try again, or send the Consistency-Token."));
    };
    Ok(Json(user.into_self(&app)).into_response())
}

async fn one(State(app): State<App>, reader: Reader, Path(name): Path<String>) -> Result<Response, Problem> {
    let rows = reader.rows(&app, &[&USERS]).await?;
    let found = match name.parse() {
        Ok(user_id) => by_id(&rows, user_id).await?,
        Err(_) => sqlx::query_as(rows.live.sql(BY_NAME)).bind(events::users::fold(&name)).fetch_optional(&rows.db).await?,
    };
    let user: UserRow = found.ok_or_else(Problem::not_found)?;
    let whole = match reader.viewer {
        Some(viewer) => viewer == user.user_id || is_superuser(&rows, viewer).await?,
        None => false,
    };
    let user = user.into_self(&app);
    if whole {
        return Ok(Json(user).into_response());
    }
    Ok(Json(json!({ "id": user.id, "href": user.href, "username": user.username, "collection": user.collection })).into_response())
}

async fn by_id(rows: &RowsOf, user_id: Uuid) -> Result<Option<UserRow>, sqlx::Error> {
    sqlx::query_as(rows.live.sql(BY_ID)).bind(user_id).fetch_optional(&rows.db).await
}

/// Whether somebody may see everything.
///
/// # Errors
/// The read store is not available.
pub async fn is_superuser(rows: &RowsOf, user_id: Uuid) -> Result<bool, sqlx::Error> {
    let sql = rows.live.sql("select exists (select 1 from {superusers} where user_id = $1)");
    sqlx::query_scalar(sql).bind(user_id).fetch_one(&rows.db).await
}

impl UserRow {
    fn into_self(self, app: &App) -> UserSelf {
        UserSelf {
            id: self.user_id,
            href: app.public_url.link(&format!("/api/v1/users/{}", self.user_id)),
            collection: app.public_url.link(&format!("/api/v1/users/{}/collection", self.username)),
            username: self.username,
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
            is_superuser: self.is_superuser,
            joined_at: self.joined_at,
        }
    }
}
