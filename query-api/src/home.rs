//! Where everything is.

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use crate::App;

/// `GET /`
pub fn routes() -> Router<App> {
    Router::new().route("/", get(home))
}

async fn home(State(app): State<App>) -> Json<Value> {
    let link = |path: &str| app.public_url.link(path);
    Json(json!({
        "name": "Tizza",
        "version": env!("CARGO_PKG_VERSION"),
        "links": {
            "self": link("/"),
            "session": link("/api/v1/session"),
            "users": link("/api/v1/users"),
            "pizzerias": link("/api/v1/pizzerias"),
            "pizzas": link("/api/v1/pizzas"),
            "likes": link("/api/v1/likes"),
        },
        "templates": {
            "user": link("/api/v1/users/{id}"),
            "pizzeria": link("/api/v1/pizzerias/{id}"),
            "pizza": link("/api/v1/pizzas/{id}"),
            "approval": link("/api/v1/pizzas/{id}/approval"),
            "reaction": link("/api/v1/pizzas/{id}/reaction"),
            "like": link("/api/v1/likes/{id}"),
        },
        "health": link("/livez"),
    }))
}
