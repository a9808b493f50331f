//! Pizzas.

use axum::{Json, Router, extract::State, routing::get};
use chrono::{DateTime, Utc};
use read_store::{
    View,
    views::{PIZZAS, PIZZERIAS, REACTIONS, USERS},
};
use serde::Serialize;
use service_kit::{
    Problem, Slug,
    http::Id,
    page::{Page, Paging},
};
use uuid::Uuid;

use crate::{
    app::{App, Reader},
    users::is_superuser,
};

/// What an answer about pizzas is made of.
static VIEWS: [&View; 4] = [&PIZZAS, &PIZZERIAS, &REACTIONS, &USERS];

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/pizzas", get(list)).route("/api/v1/pizzas/{id}", get(one))
}

#[derive(sqlx::FromRow)]
struct PizzaRow {
    pizza_id: Uuid,
    pizzeria_id: Uuid,
    pizzeria_name: String,
    owner_id: Uuid,
    title: String,
    description: String,
    thumbnail_url: Option<String>,
    diet: Option<String>,
    approved: bool,
    gone: bool,
    created_at: DateTime<Utc>,
    likes: i64,
    dislikes: i64,
}

#[derive(Serialize)]
struct Pizza {
    id: Uuid,
    href: String,
    title: String,
    description: String,
    thumbnail_url: Option<String>,
    diet: Option<String>,
    approved: bool,
    pizzeria: Place,
    like_count: i64,
    dislike_count: i64,
    created_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Place {
    id: Uuid,
    href: String,
    name: String,
}

macro_rules! select_pizzas {
    ($rest:literal) => {
        concat!(
            "select p.pizza_id, p.pizzeria_id, z.name as pizzeria_name, z.owner_id, p.title, p.description, p.thumbnail_url, p.diet,
                p.approved, (p.deleted or z.closed) as gone, p.created_at, coalesce(c.likes, 0) as likes, coalesce(c.dislikes, 0) as dislikes
            from {pizzas} p
            join {pizzerias} z on z.pizzeria_id = p.pizzeria_id
            left join {pizza_counters} c on c.pizza_id = p.pizza_id ",
            $rest
        )
    };
}

const ONE: &str = select_pizzas!("where p.pizza_id = $1");

/// $1: who asks, $2: whether they may see everything.
const LIST: &str = select_pizzas!(
    "where not p.deleted and not z.closed and (p.approved or z.owner_id = $1 or $2)
    order by p.created_at, p.pizza_id limit $3 offset $4"
);

/// Counts exactly up to 10,000; past that a page does not say.
const COUNT: &str = "select count(*) from (
        select 1 from {pizzas} p join {pizzerias} z on z.pizzeria_id = p.pizzeria_id
        where not p.deleted and not z.closed and (p.approved or z.owner_id = $1 or $2) limit 10001)";

async fn one(State(app): State<App>, reader: Reader, Id(pizza_id): Id) -> Result<Json<Pizza>, Problem> {
    let rows = reader.rows(&app, &VIEWS).await?;
    let found: Option<PizzaRow> = sqlx::query_as(rows.live.sql(ONE)).bind(pizza_id).fetch_optional(&rows.db).await?;
    let row = found.ok_or_else(Problem::not_found)?;
    if row.gone {
        return Err(Problem::new(Slug::Gone, "This pizza is off the card."));
    }
    let visible = match reader.viewer {
        _ if row.approved => true,
        Some(viewer) => viewer == row.owner_id || is_superuser(&rows, viewer).await?,
        None => false,
    };
    if visible { Ok(Json(row.shown(&app))) } else { Err(Problem::not_found()) }
}

async fn list(State(app): State<App>, reader: Reader, paging: Paging) -> Result<Json<Page<Pizza>>, Problem> {
    let rows = reader.rows(&app, &VIEWS).await?;
    let sees_all = match reader.viewer {
        Some(viewer) => is_superuser(&rows, viewer).await?,
        None => false,
    };
    let count = sqlx::query_scalar(rows.live.sql(COUNT)).bind(reader.viewer).bind(sees_all).fetch_one(&rows.db).await?;
    let list = sqlx::query_as(rows.live.sql(LIST)).bind(reader.viewer).bind(sees_all).bind(paging.limit).bind(paging.offset);
    let found: Vec<PizzaRow> = list.fetch_all(&rows.db).await?;
    let results = found.into_iter().map(|row| row.shown(&app)).collect();
    Ok(Json(Page::new(results, count, paging, &app.public_url, "/api/v1/pizzas")))
}

impl PizzaRow {
    fn shown(self, app: &App) -> Pizza {
        let link = |path: &str, id: Uuid| app.public_url.link(&format!("/api/v1/{path}/{id}"));
        Pizza {
            id: self.pizza_id,
            href: link("pizzas", self.pizza_id),
            title: self.title,
            description: self.description,
            thumbnail_url: self.thumbnail_url,
            diet: self.diet,
            approved: self.approved,
            pizzeria: Place { id: self.pizzeria_id, href: link("pizzerias", self.pizzeria_id), name: self.pizzeria_name },
            like_count: self.likes,
            dislike_count: self.dislikes,
            created_at: self.created_at,
        }
    }
}
