//! Pizzas by what they are.

use axum::{Json, extract::State};
use database::on;
use serde_json::Value;
use service_kit::{
    Problem,
    fields::{Broken, Field},
    http::Id,
    page::{Flag, Ids, Listing, Nothing, Page, Paging, Prefix},
    request,
};
use sqlx::types::Json as Text;
use uuid::Uuid;

use super::{Pizza, PizzaRow, VIEWS, ids, select_pizzas};
use crate::{
    app::{App, Reader},
    users::is_staff,
};

request! {
    /// `GET /api/v1/pizzas`
    pub struct Filter {
        /// Of one place.
        pub pizzeria_id: Option<Uuid>,
        /// Of one diet.
        pub diet: Option<DietName>,
        /// Only those that are approved, or that are not.
        pub approved: Option<Flag>,
        /// Some of them.
        pub id: Option<Ids>,
        /// As it is written.
        pub title_startswith("title__startswith"): Option<Prefix>,
        /// The oldest first, unless told.
        pub order: Option<Order>,
    }
}

/// One of three.
#[derive(Clone, Copy, Debug)]
pub struct DietName(&'static str);

impl Field for DietName {
    fn read(value: &Value) -> Result<Self, Broken> {
        let known = ["meat", "vegetarian", "vegan"].into_iter().find(|diet| value.as_str() == Some(diet));
        known.map(Self).ok_or_else(|| Broken::new("unknown", "must be meat, vegetarian or vegan"))
    }
}

/// In which order.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// The oldest first.
    Oldest,
    /// The newest first.
    Newest,
}

impl Field for Order {
    fn read(value: &Value) -> Result<Self, Broken> {
        match value.as_str() {
            Some("created_at") => Ok(Self::Oldest),
            Some("-created_at") => Ok(Self::Newest),
            _ => Err(Broken::new("unknown", "must be created_at or -created_at")),
        }
    }
}

/// What is the same in all lists. $1: who asks, $2: whether they may see everything, $3: the diet, $4: approved or not,
/// $5: the place, $6 and $7: where titles begin and end, $8: ids. By ids, place and title there is an index to go by.
macro_rules! filtered {
    (by ids in $database:tt) => {
        filtered!(concat!(
            "p.pizza_id in ",
            ids!($database "$8"),
            " and ($5 is null or p.pizzeria_id = $5) and ($6 is null or p.title >= $6 and p.title < $7)"
        ))
    };
    (by place) => {
        filtered!("p.pizzeria_id = $5 and ($6 is null or p.title >= $6 and p.title < $7) and $8 is null")
    };
    (by title) => {
        filtered!("p.title >= $6 and p.title < $7 and $5 is null and $8 is null")
    };
    (all) => {
        filtered!("$5 is null and $6 is null and $7 is null and $8 is null")
    };
    ($index:expr) => {
        concat!(
            "where ",
            $index,
            " and not p.deleted and not z.closed and (p.approved or z.owner_id = $1 or $2)
            and ($3 is null or p.diet = $3) and ($4 is null or p.approved = $4) "
        )
    };
}

/// Oldest first, newest first, and the count: exact up to 10,000; past that a page does not say.
macro_rules! statements {
    ($($by:tt)*) => {
        Statements {
            oldest: select_pizzas!(filtered!($($by)*), "order by p.created_at, p.pizza_id limit $9 offset $10"),
            newest: select_pizzas!(filtered!($($by)*), "order by p.created_at desc, p.pizza_id desc limit $9 offset $10"),
            count: concat!(
                "select count(*) from (select 1 from {pizzas} p join {pizzerias} z on z.pizzeria_id = p.pizzeria_id ",
                filtered!($($by)*),
                "limit 10001) counted"
            ),
        }
    };
}

struct Statements {
    oldest: &'static str,
    newest: &'static str,
    count: &'static str,
}

pub async fn pizzas(
    State(app): State<App>,
    reader: Reader,
    Listing { filter, paging }: Listing<Filter>,
) -> Result<Json<Page<Pizza>>, Problem> {
    listed(app, reader, filter, paging).await
}

/// `GET /api/v1/pizzerias/{id}/pizzas`
pub async fn of_pizzeria(
    State(app): State<App>,
    reader: Reader,
    Id(pizzeria_id): Id,
    Listing { paging, .. }: Listing<Nothing>,
) -> Result<Json<Page<Pizza>>, Problem> {
    crate::pizzerias::require_open(&app, &reader, pizzeria_id).await?;
    let all = Filter { pizzeria_id: Some(pizzeria_id), diet: None, approved: None, id: None, title_startswith: None, order: None };
    listed(app, reader, all, paging).await
}

async fn listed(app: App, reader: Reader, filter: Filter, paging: Paging) -> Result<Json<Page<Pizza>>, Problem> {
    let rows = reader.rows(&app, &VIEWS).await?;
    let sees_all = match reader.viewer {
        Some(viewer) => is_staff(&rows, viewer).await?,
        None => false,
    };
    let statements = match &filter {
        Filter { id: Some(_), .. } => rows.db.pick(statements!(by ids in sqlite), statements!(by ids in postgres)),
        Filter { pizzeria_id: Some(_), .. } => statements!(by place),
        Filter { title_startswith: Some(_), .. } => statements!(by title),
        Filter { .. } => statements!(all),
    };
    let list = match filter.order.unwrap_or(Order::Oldest) {
        Order::Oldest => statements.oldest,
        Order::Newest => statements.newest,
    };
    let (from, to) = filter.title_startswith.map(|prefix| (prefix.from, prefix.to)).unzip();
    let diet = filter.diet.map(|DietName(diet)| diet);
    let approved = filter.approved.map(|Flag(approved)| approved);
    let ids = filter.id.map(|Ids(ids)| Text(ids));
    let (count, list) = (rows.live.sql(statements.count), rows.live.sql(list));
    let (count, found): (_, Vec<PizzaRow>) = on!(&rows.db, |db| {
        let count = sqlx::query_scalar(count).bind(reader.viewer).bind(sees_all).bind(diet).bind(approved);
        let count = count.bind(filter.pizzeria_id).bind(&from).bind(&to).bind(&ids).fetch_one(db).await?;
        let list = sqlx::query_as(list).bind(reader.viewer).bind(sees_all).bind(diet).bind(approved);
        let list = list.bind(filter.pizzeria_id).bind(&from).bind(&to).bind(&ids).bind(paging.limit).bind(paging.offset);
        (count, list.fetch_all(db).await?)
    });
    let results = found.into_iter().map(|row| row.shown(&app)).collect();
    Ok(Json(Page::new(results, count, &paging, &app.public_url)))
}
