//! The routes that an older client knows, with the answers that it knows.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use service_kit::{
    Problem,
    http::{Id, status_and_message},
};

use super::{random, visible};
use crate::app::{App, Reader};

pub fn routes() -> Router<App> {
    let routes = Router::new().route("/pizzas/random", get(some)).route("/pizzas/{id}", get(one));
    status_and_message(routes, "pizza not found")
}

async fn one(State(app): State<App>, reader: Reader, Id(pizza_id): Id) -> Result<Json<Value>, Problem> {
    let row = visible(&app, &reader, pizza_id).await?;
    Ok(Json(json!({ "id": row.pizza_id, "title": row.title, "description": row.description })))
}

async fn some(State(app): State<App>, reader: Reader) -> Result<Response, Problem> {
    let drawn = random::draw(&app, &reader, random::DEFAULT).await?;
    let shown: Vec<_> =
        drawn.into_iter().map(|row| json!({ "id": row.pizza_id, "title": row.title, "description": row.description })).collect();
    Ok((random::NOT_STORED, Json(shown)).into_response())
}
