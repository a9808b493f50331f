//! Random pizzas that the viewer has not reacted to: each as likely as any other.

use std::collections::HashSet;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use database::on;
use rand::{rng, seq::index};
use serde::Serialize;
use service_kit::{
    Problem,
    page::{Number, Parameters},
    request,
};
use sqlx::types::Json as Text;
use uuid::Uuid;

use super::{Pizza, PizzaRow, VIEWS, ids, select_pizzas};
use crate::app::{App, Reader, RowsOf};

/// How many, unless told.
pub const DEFAULT: usize = 15;
/// Another time it is others.
pub const NOT_STORED: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
/// How often it is drawn before what the viewer has seen is looked at as a whole.
const DRAWS: usize = 3;

request! {
    /// `GET /api/v1/pizzas/random`
    pub struct HowMany {
        /// 1–50.
        pub count: Option<Number<1, 50>>,
    }
}

#[derive(Serialize)]
struct Drawn {
    results: Vec<Pizza>,
}

/// $1: ids, $2: who must not have reacted to them.
macro_rules! drawn {
    ($database:tt) => {
        select_pizzas!(
            "where p.pizza_id in ",
            ids!($database "$1"),
            " and p.approved and not p.deleted and not z.closed
            and not exists (select 1 from {reactions} r where r.user_id = $2 and r.pizza_id = p.pizza_id)"
        )
    };
}

pub async fn pizzas(
    State(app): State<App>,
    reader: Reader,
    Parameters(HowMany { count }): Parameters<HowMany>,
) -> Result<Response, Problem> {
    let drawn = draw(&app, &reader, count.map_or(DEFAULT, |Number(count)| count as usize)).await?;
    let results = drawn.into_iter().map(|row| row.shown(&app)).collect();
    Ok((NOT_STORED, Json(Drawn { results })).into_response())
}

/// Draws ids from the shelf and looks them up; what the viewer has seen, or what is gone, falls out and is drawn again.
/// Someone who has seen nearly everything would make that long: then the seen are taken off first.
pub async fn draw(app: &App, reader: &Reader, wanted: usize) -> Result<Vec<PizzaRow>, Problem> {
    let rows = reader.rows(app, &VIEWS).await?;
    let shelf = app.shelf.ids(app, reader, &rows).await?;
    let mut tried = HashSet::new();
    let mut drawn = vec![];
    for _ in 0..DRAWS {
        let missing = wanted - drawn.len();
        if missing == 0 || tried.len() == shelf.ids.len() {
            return Ok(drawn);
        }
        // A few more than are missing: most of the time one draw is enough.
        let some = index::sample(&mut rng(), shelf.ids.len(), shelf.ids.len().min(missing + 1 + missing / 10));
        let fresh: Vec<Uuid> = some.into_iter().map(|i| shelf.ids[i]).filter(|id| tried.insert(*id)).collect();
        drawn.extend(unseen(&rows, reader.viewer, fresh).await?.into_iter().take(missing));
    }
    let seen = seen(&rows, reader.viewer).await?;
    let left: Vec<Uuid> = shelf.ids.iter().filter(|id| !seen.contains(id) && !tried.contains(id)).copied().collect();
    let missing = wanted - drawn.len();
    let some = index::sample(&mut rng(), left.len(), left.len().min(missing));
    drawn.extend(unseen(&rows, reader.viewer, some.into_iter().map(|i| left[i]).collect()).await?);
    Ok(drawn)
}

/// Those that may be shown, in the order in which they were drawn.
async fn unseen(rows: &RowsOf, viewer: Option<Uuid>, ids: Vec<Uuid>) -> Result<Vec<PizzaRow>, sqlx::Error> {
    let sql = rows.live.sql(rows.db.pick(drawn!(sqlite), drawn!(postgres)));
    let mut found: Vec<PizzaRow> = on!(&rows.db, |db| sqlx::query_as(sql).bind(Text(&ids)).bind(viewer).fetch_all(db).await?);
    found.sort_by_key(|row| ids.iter().position(|id| *id == row.pizza_id));
    Ok(found)
}

async fn seen(rows: &RowsOf, viewer: Option<Uuid>) -> Result<HashSet<Uuid>, sqlx::Error> {
    let sql = rows.live.sql("select pizza_id from {reactions} where user_id = $1");
    let seen: Vec<Uuid> = on!(&rows.db, |db| sqlx::query_scalar(sql).bind(viewer).fetch_all(db).await?);
    Ok(seen.into_iter().collect())
}
