//! Accounts.

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, SecondsFormat, Utc};
use database::on;
use read_store::views::{REACTIONS, USERS};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::{
    Problem, Slug,
    http::Id,
    identity::{Caller, SessionTimes},
    page::{Flag, Listing, Nothing, Page, Parameters, Prefix},
    request,
};
use uuid::Uuid;

use crate::{
    app::{App, Reader, RowsOf},
    caching::Versioned,
};

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/session", get(me))
        .route("/api/v1/users", get(list))
        .route("/api/v1/users/me", get(me))
        .route("/api/v1/users/me/sessions", get(sessions))
        .route("/api/v1/users/{id}", get(one))
        .route("/api/v1/users/{id}/summary", get(summary))
}

request! {
    /// `GET /api/v1/users`
    pub struct Filter {
        /// Ignoring case.
        pub username_startswith("username__startswith"): Option<Prefix>,
        /// Members of staff, or all others.
        pub is_staff: Option<Flag>,
    }
}

#[derive(sqlx::FromRow)]
struct UserRow {
    user_id: Uuid,
    username: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    meetup_visibility_default: String,
    mail_on_mention: bool,
    mail_on_meetup: bool,
    is_staff: bool,
    is_active: bool,
    is_superuser: bool,
    joined_at: DateTime<Utc>,
    version: i64,
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
    settings: Settings,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    #[serde(serialize_with = "service_kit::time::serialize")]
    joined_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Settings {
    meetup_visibility_default: String,
    mail_on_mention: bool,
    mail_on_meetup: bool,
}

macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "select u.user_id, u.username, u.email, u.first_name, u.last_name, u.meetup_visibility_default, u.mail_on_mention,
                u.mail_on_meetup, u.is_staff, u.is_active, u.joined_at, u.version,
                exists (select 1 from {superusers} s where s.user_id = u.user_id) as is_superuser
            from {users} u ",
            $rest
        )
    };
}

const BY_ID: &str = select_users!("where u.user_id = $1");
/// A name that was given back and taken again may be there twice for a moment: the newer one has it.
const BY_NAME: &str = select_users!("where u.username_key = $1 order by u.joined_at desc, u.user_id limit 1");

const LIST: &str = select_users!(
    "where ($1 is null or u.username_key >= $1 and u.username_key < $2) and ($3 is null or u.is_staff = $3)
    order by u.username_key, u.user_id limit $4 offset $5"
);
/// Counts exactly up to 10,000; past that a page does not say.
const COUNT: &str = "select count(*) from (select 1 from {users} u
        where ($1 is null or u.username_key >= $1 and u.username_key < $2) and ($3 is null or u.is_staff = $3) limit 10001) counted";

async fn list(
    State(app): State<App>,
    reader: Reader,
    Listing { filter, paging }: Listing<Filter>,
) -> Result<Json<Page<UserSelf>>, Problem> {
    let viewer = reader.required()?;
    let rows = reader.rows(&app, &[&USERS]).await?;
    if !is_staff(&rows, viewer).await? {
        return Err(Problem::new(Slug::PermissionDenied, "This is for staff."));
    }
    let prefix = filter.username_startswith.map(|prefix| Prefix::from(events::users::fold(&prefix.from)));
    let (from, to) = prefix.map(|prefix| (prefix.from, prefix.to)).unzip();
    let staff = filter.is_staff.map(|Flag(flag)| flag);
    let (count, list) = (rows.live.sql(COUNT), rows.live.sql(LIST));
    let (count, found): (_, Vec<UserRow>) = on!(&rows.db, |db| {
        let count = sqlx::query_scalar(count).bind(&from).bind(&to).bind(staff).fetch_one(db).await?;
        let list = sqlx::query_as(list).bind(&from).bind(&to).bind(staff).bind(paging.limit).bind(paging.offset);
        (count, list.fetch_all(db).await?)
    });
    let results = found.into_iter().map(|row| row.into_self(&app)).collect();
    Ok(Json(Page::new(results, count, &paging, &app.public_url)))
}

/// Where the caller is logged in.
async fn sessions(State(app): State<App>, Caller(session): Caller, _: Parameters<Nothing>) -> Result<Json<Value>, Problem> {
    let session = session.ok_or_else(Problem::unauthenticated)?;
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let shown = |s: SessionTimes| {
        let (started_at, expires_at) = (time(s.started_at), time(s.expires_at));
        json!({ "id": s.session_id, "started_at": started_at, "expires_at": expires_at, "current": s.session_id == session.session_id })
    };
    let sessions: Vec<_> = app.identity.sessions_of(session.subject).await?.into_iter().map(shown).collect();
    Ok(Json(json!({ "count": sessions.len(), "results": sessions })))
}

/// For oneself and staff.
async fn summary(State(app): State<App>, reader: Reader, Id(user_id): Id) -> Result<Json<Value>, Problem> {
    let viewer = reader.required()?;
    let rows = reader.rows(&app, &[&USERS, &REACTIONS]).await?;
    if viewer != user_id && !is_staff(&rows, viewer).await? {
        return Err(Problem::new(Slug::PermissionDenied, "A summary is for its user and for staff."));
    }
    let user = by_id(&rows, user_id).await?.ok_or_else(Problem::not_found)?;
    let count = rows.live.sql("select count(*) from {reactions} where user_id = $1 and reaction = 'like'");
    let like_count: i64 = on!(&rows.db, |db| sqlx::query_scalar(count).bind(user_id).fetch_one(db).await?);
    let names: Vec<_> = [user.first_name, user.last_name].into_iter().flatten().collect();
    Ok(Json(json!({ "user_id": user_id, "full_name": names.join(" "), "like_count": like_count })))
}

async fn me(State(app): State<App>, reader: Reader) -> Result<Versioned<UserSelf>, Problem> {
    let viewer = reader.required()?;
    let rows = reader.rows(&app, &[&USERS]).await?;
    let Some(user) = by_id(&rows, viewer).await? else {
        // A session without its account: the account is not folded yet, for the sessions of the deleted are gone.
        return Err(Problem::new(Slug::Unavailable, "Your account is not there yet; try again, or send the Consistency-Token."));
    };
    Ok(Versioned(user.version, user.into_self(&app)))
}

async fn one(State(app): State<App>, reader: Reader, Path(name): Path<String>) -> Result<Response, Problem> {
    let rows = reader.rows(&app, &[&USERS]).await?;
    let found = match name.parse() {
        Ok(user_id) => by_id(&rows, user_id).await?,
        Err(_) => by_name(&rows, &name).await?,
    };
    let user = found.ok_or_else(Problem::not_found)?;
    let whole = match reader.viewer {
        Some(viewer) => viewer == user.user_id || is_staff(&rows, viewer).await?,
        None => false,
    };
    let version = user.version;
    let user = user.into_self(&app);
    if whole {
        return Ok(Versioned(version, user).into_response());
    }
    let UserSelf { id, href, username, collection, .. } = user;
    Ok(Versioned(version, json!({ "id": id, "href": href, "username": username, "collection": collection })).into_response())
}

async fn by_id(rows: &RowsOf, user_id: Uuid) -> Result<Option<UserRow>, sqlx::Error> {
    let sql = rows.live.sql(BY_ID);
    on!(&rows.db, |db| sqlx::query_as(sql).bind(user_id).fetch_optional(db).await)
}

async fn by_name(rows: &RowsOf, name: &str) -> Result<Option<UserRow>, sqlx::Error> {
    let (sql, name) = (rows.live.sql(BY_NAME), events::users::fold(name));
    on!(&rows.db, |db| sqlx::query_as(sql).bind(name).fetch_optional(db).await)
}

/// Whether somebody may see everything.
///
/// # Errors
/// The read store is not available.
pub async fn is_staff(rows: &RowsOf, user_id: Uuid) -> Result<bool, sqlx::Error> {
    let sql = rows.live.sql(
        "select exists (select 1 from {superusers} where user_id = $1)
            or exists (select 1 from {users} where user_id = $1 and is_staff and is_active)",
    );
    on!(&rows.db, |db| sqlx::query_scalar(sql).bind(user_id).fetch_one(db).await)
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
            settings: Settings {
                meetup_visibility_default: self.meetup_visibility_default,
                mail_on_mention: self.mail_on_mention,
                mail_on_meetup: self.mail_on_meetup,
            },
            is_active: self.is_active,
            is_staff: self.is_staff,
            is_superuser: self.is_superuser,
            joined_at: self.joined_at,
        }
    }
}
