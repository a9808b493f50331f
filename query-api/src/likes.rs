//! Likes and dislikes: shown to the one who likes, and to staff.

use axum::{Json, Router, extract::State, routing::get};
use chrono::{DateTime, Utc};
use database::on;
use read_store::{
    View,
    views::{PIZZAS, PIZZERIAS, REACTIONS, USERS},
};
use serde::Serialize;
use service_kit::{
    Problem, Slug,
    http::Id,
    page::{Listing, Page},
    request,
};
use uuid::Uuid;

use crate::{
    app::{App, Reader},
    caching::Versioned,
    users::is_staff,
};

/// What an answer about likes is made of: those of pizzas that are gone are not shown.
static VIEWS: [&View; 4] = [&REACTIONS, &PIZZAS, &PIZZERIAS, &USERS];

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
    version: i64,
}

#[derive(Serialize)]
struct Like {
    id: Uuid,
    href: String,
    user_id: Uuid,
    pizza_id: Uuid,
    pizzeria_id: Uuid,
    reaction: String,
    #[serde(serialize_with = "service_kit::time::serialize")]
    at: DateTime<Utc>,
}

request! {
    /// `GET /api/v1/likes`
    pub struct Filter {
        /// Of one user; only staff may ask for another's.
        pub user_id: Option<Uuid>,
        /// Of one pizza.
        pub pizza_id: Option<Uuid>,
        /// Of all pizzas of one place.
        pub pizzeria_id: Option<Uuid>,
    }
}

/// Likes, but for those of pizzas that are gone. A pizza whose partition is behind is not gone.
macro_rules! likes {
    ($columns:literal, $($rest:tt)*) => {
        concat!(
            "select ",
            $columns,
            " from {reactions} r
            left join {pizzas} p on p.pizza_id = r.pizza_id
            left join {pizzerias} z on z.pizzeria_id = r.pizzeria_id
            where not coalesce(p.deleted, false) and not coalesce(z.closed, false) ",
            $($rest)*
        )
    };
}

macro_rules! select_likes {
    ($($rest:tt)*) => {
        likes!("r.like_id, r.user_id, r.pizza_id, r.pizzeria_id, r.reaction, r.at, r.version", $($rest)*)
    };
}

/// $1: the user, $2: the pizza, $3: the place. By user and by pizza there is an index to go by.
macro_rules! filtered {
    (by user) => {
        "and r.user_id = $1 and ($2 is null or r.pizza_id = $2) and ($3 is null or r.pizzeria_id = $3) "
    };
    (by pizza) => {
        "and $1 is null and r.pizza_id = $2 and ($3 is null or r.pizzeria_id = $3) "
    };
    (all) => {
        "and $1 is null and $2 is null and ($3 is null or r.pizzeria_id = $3) "
    };
}

macro_rules! page {
    ($($by:tt)*) => {
        (
            select_likes!(filtered!($($by)*), "order by r.at desc, r.pizza_id, r.user_id limit $4 offset $5"),
            // Counts exactly up to 10,000; past that a page does not say.
            concat!("select count(*) from (", likes!("1", filtered!($($by)*), "limit 10001"), ") counted"),
        )
    };
}

const BY_ID: &str = select_likes!("and r.user_id = $1 and r.like_id = $2");
const OF_PIZZA: &str = select_likes!("and r.user_id = $1 and r.pizza_id = $2");

/// One's own; staff sees everybody's.
async fn list(State(app): State<App>, reader: Reader, Listing { filter, paging }: Listing<Filter>) -> Result<Json<Page<Like>>, Problem> {
    let viewer = reader.viewer.ok_or_else(|| Problem::new(Slug::Unauthenticated, "Missing authentication header"))?;
    let rows = reader.rows(&app, &VIEWS).await?;
    let Filter { user_id, pizza_id, pizzeria_id } = filter;
    let user_id = match user_id {
        Some(user_id) if user_id == viewer => Some(viewer),
        asked if is_staff(&rows, viewer).await? => asked,
        None => Some(viewer),
        Some(_) => return Err(Problem::new(Slug::PermissionDenied, "The likes of others are for staff.")),
    };
    let (list, count) = match (user_id, pizza_id) {
        (Some(_), _) => page!(by user),
        (None, Some(_)) => page!(by pizza),
        (None, None) => page!(all),
    };
    let (count, list) = (rows.live.sql(count), rows.live.sql(list));
    let (count, found): (_, Vec<LikeRow>) = on!(&rows.db, |db| {
        let count = sqlx::query_scalar(count).bind(user_id).bind(pizza_id).bind(pizzeria_id).fetch_one(db).await?;
        let list = sqlx::query_as(list).bind(user_id).bind(pizza_id).bind(pizzeria_id).bind(paging.limit).bind(paging.offset);
        (count, list.fetch_all(db).await?)
    });
    let results = found.into_iter().map(|row| row.shown(&app)).collect();
    Ok(Json(Page::new(results, count, &paging, &app.public_url)))
}

async fn one(State(app): State<App>, reader: Reader, Id(like_id): Id) -> Result<Versioned<Like>, Problem> {
    own(&app, &reader, BY_ID, like_id).await
}

async fn of_pizza(State(app): State<App>, reader: Reader, Id(pizza_id): Id) -> Result<Versioned<Like>, Problem> {
    own(&app, &reader, OF_PIZZA, pizza_id).await
}

async fn own(app: &App, reader: &Reader, statement: &'static str, id: Uuid) -> Result<Versioned<Like>, Problem> {
    let viewer = reader.required()?;
    let rows = reader.rows(app, &VIEWS).await?;
    let sql = rows.live.sql(statement);
    let found: Option<LikeRow> = on!(&rows.db, |db| sqlx::query_as(sql).bind(viewer).bind(id).fetch_optional(db).await?);
    let row = found.ok_or_else(Problem::not_found)?;
    Ok(Versioned(row.version, row.shown(app)))
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
