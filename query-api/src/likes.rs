//! Likes and dislikes: shown to the one who likes, and to nobody else.

use axum::{Json, Router, extract::State, routing::get};
use chrono::{DateTime, Utc};
use read_store::{
    View,
    views::{PIZZAS, PIZZERIAS, REACTIONS},
};
use serde::Serialize;
use service_kit::{
    Problem, Slug,
    http::Id,
    page::{Page, Paging},
};
use uuid::Uuid;

use crate::app::{App, Reader};

/// What an answer about likes is made of: those of pizzas that are gone are not shown.
static VIEWS: [&View; 3] = [&REACTIONS, &PIZZAS, &PIZZERIAS];

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/likes", get(list))
        .route("/api/v1/likes/{id}", get(one))
        .route("/api/v1/pizzas/{id}/reaction", get(of_pizza))
}

#[derive(sqlx::FromRow)]
struct LikeRow {
    like_id: Uuid,
    user_id: Uuid,
    pizza_id: Uuid,
    pizzeria_id: Uuid,
    reaction: String,
    at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Like {
    id: Uuid,
    href: String,
    user_id: Uuid,
    pizza_id: Uuid,
    pizzeria_id: Uuid,
    reaction: String,
    at: DateTime<Utc>,
}

/// Likes of a user, but for those of pizzas that are gone. A pizza whose partition is behind is not gone.
macro_rules! likes_of_user {
    ($columns:literal, $rest:literal) => {
        concat!(
            "select ",
            $columns,
            " from {reactions} r
            left join {pizzas} p on p.pizza_id = r.pizza_id
            left join {pizzerias} z on z.pizzeria_id = r.pizzeria_id
            where r.user_id = $1 and not coalesce(p.deleted, false) and not coalesce(z.closed, false) ",
            $rest
        )
    };
}

macro_rules! select_likes {
    ($rest:literal) => {
        likes_of_user!("r.like_id, r.user_id, r.pizza_id, r.pizzeria_id, r.reaction, r.at", $rest)
    };
}

const LIST: &str = select_likes!("order by r.at desc, r.pizza_id limit $2 offset $3");
const BY_ID: &str = select_likes!("and r.like_id = $2");
const OF_PIZZA: &str = select_likes!("and r.pizza_id = $2");
/// Counts exactly up to 10,000; past that a page does not say.
const COUNT: &str = concat!("select count(*) from (", likes_of_user!("1", "limit 10001"), ")");

async fn list(State(app): State<App>, reader: Reader, paging: Paging) -> Result<Json<Page<Like>>, Problem> {
    let viewer = reader.viewer.ok_or_else(|| Problem::new(Slug::Unauthenticated, "Missing authentication header"))?;
    let rows = reader.rows(&app, &VIEWS).await?;
    let count = sqlx::query_scalar(rows.live.sql(COUNT)).bind(viewer).fetch_one(&rows.db).await?;
    let list = sqlx::query_as(rows.live.sql(LIST)).bind(viewer).bind(paging.limit).bind(paging.offset);
    let found: Vec<LikeRow> = list.fetch_all(&rows.db).await?;
    let results = found.into_iter().map(|row| row.shown(&app)).collect();
    Ok(Json(Page::new(results, count, paging, &app.public_url, "/api/v1/likes")))
}

async fn one(State(app): State<App>, reader: Reader, Id(like_id): Id) -> Result<Json<Like>, Problem> {
    own(&app, &reader, BY_ID, like_id).await
}

async fn of_pizza(State(app): State<App>, reader: Reader, Id(pizza_id): Id) -> Result<Json<Like>, Problem> {
    own(&app, &reader, OF_PIZZA, pizza_id).await
}

async fn own(app: &App, reader: &Reader, statement: &'static str, id: Uuid) -> Result<Json<Like>, Problem> {
    let viewer = reader.required()?;
    let rows = reader.rows(app, &VIEWS).await?;
    let found: Option<LikeRow> = sqlx::query_as(rows.live.sql(statement)).bind(viewer).bind(id).fetch_optional(&rows.db).await?;
    Ok(Json(found.ok_or_else(Problem::not_found)?.shown(app)))
}

impl LikeRow {
    fn shown(self, app: &App) -> Like {
        Like {
            id: self.like_id,
            href: app.public_url.link(&format!("/api/v1/likes/{}", self.like_id)),
            user_id: self.user_id,
            pizza_id: self.pizza_id,
            pizzeria_id: self.pizzeria_id,
            reaction: self.reaction,
            at: self.at,
        }
    }
}
