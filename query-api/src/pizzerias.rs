//! Places.

use axum::{Json, Router, extract::State, routing::get};
use chrono::{DateTime, Utc};
use read_store::views::{PIZZAS, PIZZERIAS, REACTIONS};
use serde::Serialize;
use service_kit::{
    Problem, Slug,
    http::Id,
    page::{Page, Paging},
};
use uuid::Uuid;

use crate::app::{App, Reader};

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/pizzerias", get(list)).route("/api/v1/pizzerias/{id}", get(one))
}

#[derive(sqlx::FromRow)]
struct PizzeriaRow {
    pizzeria_id: Uuid,
    owner_id: Uuid,
    name: String,
    address: Option<String>,
    phone: Option<String>,
    opened_at: DateTime<Utc>,
    closed: bool,
    pizza_count: i64,
    like_count: i64,
}

#[derive(Serialize)]
struct Pizzeria {
    id: Uuid,
    href: String,
    name: String,
    address: Option<String>,
    phone: Option<String>,
    owner_id: Uuid,
    pizza_count: i64,
    like_count: i64,
    opened_at: DateTime<Utc>,
}

macro_rules! select_pizzerias {
    ($rest:literal) => {
        concat!(
            "select z.pizzeria_id, z.owner_id, z.name, z.address, z.phone, z.opened_at, z.closed,
                (select count(*) from {pizzas} p where p.pizzeria_id = z.pizzeria_id and p.approved and not p.deleted) as pizza_count,
                coalesce((select c.likes from {place_counters} c where c.pizzeria_id = z.pizzeria_id), 0) as like_count
            from {pizzerias} z ",
            $rest
        )
    };
}

const ONE: &str = select_pizzerias!("where z.pizzeria_id = $1");
const LIST: &str = select_pizzerias!("where not z.closed order by like_count desc, z.pizzeria_id limit $1 offset $2");

/// Counts exactly up to 10,000; past that a page does not say.
const COUNT: &str = "select count(*) from (select 1 from {pizzerias} where not closed limit 10001)";

async fn one(State(app): State<App>, reader: Reader, Id(pizzeria_id): Id) -> Result<Json<Pizzeria>, Problem> {
    let rows = reader.rows(&app, &[&PIZZERIAS, &PIZZAS, &REACTIONS]).await?;
    let found: Option<PizzeriaRow> = sqlx::query_as(rows.live.sql(ONE)).bind(pizzeria_id).fetch_optional(&rows.db).await?;
    match found {
        None => Err(Problem::not_found()),
        Some(row) if row.closed => Err(Problem::new(Slug::Gone, "This pizzeria is closed.")),
        Some(row) => Ok(Json(row.shown(&app))),
    }
}

async fn list(State(app): State<App>, reader: Reader, paging: Paging) -> Result<Json<Page<Pizzeria>>, Problem> {
    let rows = reader.rows(&app, &[&PIZZERIAS, &PIZZAS, &REACTIONS]).await?;
    let count = sqlx::query_scalar(rows.live.sql(COUNT)).fetch_one(&rows.db).await?;
    let list = sqlx::query_as(rows.live.sql(LIST)).bind(paging.limit).bind(paging.offset);
    let found: Vec<PizzeriaRow> = list.fetch_all(&rows.db).await?;
    let results = found.into_iter().map(|row| row.shown(&app)).collect();
    Ok(Json(Page::new(results, count, paging, &app.public_url, "/api/v1/pizzerias")))
}

impl PizzeriaRow {
    fn shown(self, app: &App) -> Pizzeria {
        Pizzeria {
            id: self.pizzeria_id,
            href: app.public_url.link(&format!("/api/v1/pizzerias/{}", self.pizzeria_id)),
            name: self.name,
            address: self.address,
            phone: self.phone,
            owner_id: self.owner_id,
            pizza_count: self.pizza_count,
            like_count: self.like_count,
            opened_at: self.opened_at,
        }
    }
}
