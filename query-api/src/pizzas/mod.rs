//! Pizzas.

mod list;
mod older;
mod random;
mod shelf;

use axum::{Router, extract::State, routing::get};
use chrono::{DateTime, Utc};
use database::on;
use read_store::{
    View,
    views::{PIZZAS, PIZZERIAS, REACTIONS, USERS},
};
use serde::Serialize;
use service_kit::{Problem, Slug, http::Id};
use uuid::Uuid;

pub use shelf::Shelf;

use crate::{
    app::{App, Reader},
    caching::Versioned,
    users::is_staff,
};

/// What an answer about pizzas is made of.
static VIEWS: [&View; 4] = [&PIZZAS, &PIZZERIAS, &REACTIONS, &USERS];

/// The slice's routes, and those that an older client knows.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/pizzas", get(list::pizzas))
        .route("/api/v1/pizzas/random", get(random::pizzas))
        .route("/api/v1/pizzas/{id}", get(one))
        .route("/api/v1/pizzerias/{id}/pizzas", get(list::of_pizzeria))
        .merge(older::routes())
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
    version: i64,
    #[cfg(feature = "next")]
    changes: i64,
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
    #[serde(serialize_with = "service_kit::time::serialize")]
    created_at: DateTime<Utc>,
    #[cfg(feature = "next")]
    change_count: i64,
}

#[derive(Serialize)]
struct Place {
    id: Uuid,
    href: String,
    name: String,
}

#[cfg(not(feature = "next"))]
macro_rules! more_columns {
    () => {
        ""
    };
}
#[cfg(feature = "next")]
macro_rules! more_columns {
    () => {
        ", p.changes"
    };
}

pub(crate) use more_columns;

/// The columns of a [`PizzaRow`], and what is joined for them.
macro_rules! select_pizzas {
    ($($rest:tt)*) => {
        concat!(
            "select p.pizza_id, p.pizzeria_id, z.name as pizzeria_name, z.owner_id, p.title, p.description, p.thumbnail_url, p.diet,
                p.approved, (p.deleted or z.closed) as gone, p.created_at, coalesce(c.likes, 0) as likes, coalesce(c.dislikes, 0) as dislikes,
                p.version",
            $crate::pizzas::more_columns!(),
            "
            from {pizzas} p
            join {pizzerias} z on z.pizzeria_id = p.pizzeria_id
            left join {pizza_counters} c on c.pizza_id = p.pizza_id ",
            $($rest)*
        )
    };
}
use select_pizzas;

/// The ids in a JSON array.
macro_rules! ids {
    (sqlite $array:literal) => {
        concat!("(select unhex(value, '-') from json_each(", $array, "))")
    };
    (postgres $array:literal) => {
        concat!("(select value::uuid from jsonb_array_elements_text(", $array, "))")
    };
}
use ids;

const ONE: &str = select_pizzas!("where p.pizza_id = $1");

async fn one(State(app): State<App>, reader: Reader, Id(pizza_id): Id) -> Result<Versioned<Pizza>, Problem> {
    let row = visible(&app, &reader, pizza_id).await?;
    Ok(Versioned(row.version, row.shown(&app)))
}

/// A pizza that the viewer may see.
async fn visible(app: &App, reader: &Reader, pizza_id: Uuid) -> Result<PizzaRow, Problem> {
    let rows = reader.rows(app, &VIEWS).await?;
    let sql = rows.live.sql(ONE);
    let found: Option<PizzaRow> = on!(&rows.db, |db| sqlx::query_as(sql).bind(pizza_id).fetch_optional(db).await?);
    let row = found.ok_or_else(Problem::not_found)?;
    if row.gone {
        return Err(Problem::new(Slug::Gone, "This pizza is off the card."));
    }
    let visible = match reader.viewer {
        _ if row.approved => true,
        Some(viewer) => viewer == row.owner_id || is_staff(&rows, viewer).await?,
        None => false,
    };
    if visible { Ok(row) } else { Err(Problem::not_found()) }
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
            #[cfg(feature = "next")]
            change_count: self.changes,
        }
    }
}
