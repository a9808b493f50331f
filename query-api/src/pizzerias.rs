//! Places.

use axum::{Json, Router, extract::State, routing::get};
use chrono::{DateTime, Utc};
use database::on;
use read_store::views::{PIZZAS, PIZZERIAS, REACTIONS};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::{
    Problem, Slug,
    fields::{Broken, Field},
    http::Id,
    page::{Listing, Page, Prefix},
    request,
};
use uuid::Uuid;

use crate::{
    app::{App, Reader},
    caching::Versioned,
};

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/pizzerias", get(list))
        .route("/api/v1/pizzerias/{id}", get(one))
        .route("/api/v1/pizzerias/{id}/likes", get(likes))
}

request! {
    /// `GET /api/v1/pizzerias`
    pub struct Filter {
        /// Of one owner.
        pub owner_id: Option<Uuid>,
        /// As it is written.
        pub name_startswith("name__startswith"): Option<Prefix>,
        /// Best first, unless told.
        pub order: Option<Order>,
    }
}

/// In which order.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// The most liked first.
    Rank,
    /// By name.
    Name,
    /// The newest first.
    Newest,
}

impl Field for Order {
    fn read(value: &Value) -> Result<Self, Broken> {
        match value.as_str() {
            Some("rank") => Ok(Self::Rank),
            Some("name") => Ok(Self::Name),
            Some("newest") => Ok(Self::Newest),
            _ => Err(Broken::new("unknown", "must be rank, name or newest")),
        }
    }
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
    version: i64,
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
    #[serde(serialize_with = "service_kit::time::serialize")]
    opened_at: DateTime<Utc>,
}

macro_rules! select_pizzerias {
    ($($rest:tt)*) => {
        concat!(
            "select z.pizzeria_id, z.owner_id, z.name, z.address, z.phone, z.opened_at, z.closed, z.version,
                (select count(*) from {pizzas} p where p.pizzeria_id = z.pizzeria_id and p.approved and not p.deleted) as pizza_count,
                coalesce((select c.likes from {place_counters} c where c.pizzeria_id = z.pizzeria_id), 0) as like_count
            from {pizzerias} z ",
            $($rest)*
        )
    };
}

/// $1: the owner, $2 and $3: where names begin and end. By owner there is an index to go by.
macro_rules! filtered {
    (by owner) => {
        "where z.owner_id = $1 and ($2 is null or z.name >= $2 and z.name < $3) and not z.closed "
    };
    (all) => {
        "where $1 is null and ($2 is null or z.name >= $2 and z.name < $3) and not z.closed "
    };
}

const ONE: &str = select_pizzerias!("where z.pizzeria_id = $1");
const LIKES: &str = "select z.closed, coalesce((select c.likes from {place_counters} c where c.pizzeria_id = z.pizzeria_id), 0)
    from {pizzerias} z where z.pizzeria_id = $1";

const fn list_statement(by_owner: bool, order: Order) -> &'static str {
    match (by_owner, order) {
        (true, Order::Rank) => {
            select_pizzerias!(filtered!(by owner), "order by like_count desc, z.pizzeria_id limit $4 offset $5")
        }
        (true, Order::Name) => select_pizzerias!(filtered!(by owner), "order by z.name, z.pizzeria_id limit $4 offset $5"),
        (true, Order::Newest) => {
            select_pizzerias!(filtered!(by owner), "order by z.opened_at desc, z.pizzeria_id desc limit $4 offset $5")
        }
        (false, Order::Rank) => select_pizzerias!(filtered!(all), "order by like_count desc, z.pizzeria_id limit $4 offset $5"),
        (false, Order::Name) => select_pizzerias!(filtered!(all), "order by z.name, z.pizzeria_id limit $4 offset $5"),
        (false, Order::Newest) => {
            select_pizzerias!(filtered!(all), "order by z.opened_at desc, z.pizzeria_id desc limit $4 offset $5")
        }
    }
}

/// Counts exactly up to 10,000; past that a page does not say.
const fn count_statement(by_owner: bool) -> &'static str {
    if by_owner {
        concat!("select count(*) from (select 1 from {pizzerias} z ", filtered!(by owner), "limit 10001) counted")
    } else {
        concat!("select count(*) from (select 1 from {pizzerias} z ", filtered!(all), "limit 10001) counted")
    }
}

async fn one(State(app): State<App>, reader: Reader, Id(pizzeria_id): Id) -> Result<Versioned<Pizzeria>, Problem> {
    let rows = reader.rows(&app, &[&PIZZERIAS, &PIZZAS, &REACTIONS]).await?;
    let sql = rows.live.sql(ONE);
    let found: Option<PizzeriaRow> = on!(&rows.db, |db| sqlx::query_as(sql).bind(pizzeria_id).fetch_optional(db).await?);
    match found {
        None => Err(Problem::not_found()),
        Some(row) if row.closed => Err(Problem::new(Slug::Gone, "This pizzeria is closed.")),
        Some(row) => Ok(Versioned(row.version, row.shown(&app))),
    }
}

async fn list(
    State(app): State<App>,
    reader: Reader,
    Listing { filter, paging }: Listing<Filter>,
) -> Result<Json<Page<Pizzeria>>, Problem> {
    let rows = reader.rows(&app, &[&PIZZERIAS, &PIZZAS, &REACTIONS]).await?;
    let by_owner = filter.owner_id.is_some();
    let (from, to) = filter.name_startswith.map(|prefix| (prefix.from, prefix.to)).unzip();
    let count = rows.live.sql(count_statement(by_owner));
    let list = rows.live.sql(list_statement(by_owner, filter.order.unwrap_or(Order::Rank)));
    let (count, found): (_, Vec<PizzeriaRow>) = on!(&rows.db, |db| {
        let count = sqlx::query_scalar(count).bind(filter.owner_id).bind(&from).bind(&to).fetch_one(db).await?;
        let list = sqlx::query_as(list).bind(filter.owner_id).bind(&from).bind(&to).bind(paging.limit).bind(paging.offset);
        (count, list.fetch_all(db).await?)
    });
    let results = found.into_iter().map(|row| row.shown(&app)).collect();
    Ok(Json(Page::new(results, count, &paging, &app.public_url)))
}

/// Whether there is such a place.
///
/// # Errors
/// 404: there never was; 410: it is closed.
pub async fn require_open(app: &App, reader: &Reader, pizzeria_id: Uuid) -> Result<(), Problem> {
    likes(State(app.clone()), reader.clone(), Id(pizzeria_id)).await.map(drop)
}

/// How many like the pizzas of a place; who they are is nobody's business.
async fn likes(State(app): State<App>, reader: Reader, Id(pizzeria_id): Id) -> Result<Json<Value>, Problem> {
    let rows = reader.rows(&app, &[&PIZZERIAS, &REACTIONS]).await?;
    let sql = rows.live.sql(LIKES);
    let found: Option<(bool, i64)> = on!(&rows.db, |db| sqlx::query_as(sql).bind(pizzeria_id).fetch_optional(db).await?);
    match found {
        None => Err(Problem::not_found()),
        Some((true, _)) => Err(Problem::new(Slug::Gone, "This pizzeria is closed.")),
        Some((false, count)) => Ok(Json(json!({ "count": count }))),
    }
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
