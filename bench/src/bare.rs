//! The baseline of `pizza`: axum, sqlx and the select of `query-api/src/pizzas.rs`, and nothing else. The bench starts it as a process
//! of its own, and compares its answers with Tizza's before it is measured.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use chrono::{DateTime, Utc};
use clap::Args;
use read_store::{
    live::expand,
    views::{PIZZAS, PIZZERIAS, REACTIONS},
};
use serde::Serialize;
use serde_json::json;
use sqlx::{
    AssertSqlSafe, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::net::TcpListener;
use uuid::Uuid;

/// As many as Tizza's own readers.
const CONNECTIONS: u32 = 4;

const ONE: &str = "
    select p.pizza_id, p.pizzeria_id, z.name as pizzeria_name, z.owner_id, p.title, p.description, p.thumbnail_url, p.diet,
        p.approved, (p.deleted or z.closed) as gone, p.created_at, coalesce(c.likes, 0) as likes, coalesce(c.dislikes, 0) as dislikes
    from {pizzas} p
    join {pizzerias} z on z.pizzeria_id = p.pizzeria_id
    left join {pizza_counters} c on c.pizza_id = p.pizza_id
    where p.pizza_id = $1";

/// What it reads.
#[derive(Args, Debug)]
pub struct Config {
    /// The file of a read store
    #[arg(long)]
    store: PathBuf,
    /// The start of every link
    #[arg(long)]
    public_url: String,
}

#[derive(Clone)]
struct App {
    db: SqlitePool,
    select: Arc<str>,
    public_url: Arc<str>,
}

#[derive(sqlx::FromRow)]
struct Row {
    pizza_id: Uuid,
    pizzeria_id: Uuid,
    pizzeria_name: String,
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
    #[serde(serialize_with = "service_kit::time::serialize")]
    created_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Place {
    id: Uuid,
    href: String,
    name: String,
}

impl Config {
    /// Serves until it is killed.
    pub async fn serve(self) -> anyhow::Result<()> {
        let options = SqliteConnectOptions::new().filename(&self.store).read_only(true);
        let db = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        let mut select = ONE.to_owned();
        for view in [&PIZZAS, &PIZZERIAS, &REACTIONS] {
            let live = "select generation from live_generations where projection = $1 and version = $2";
            let generation = sqlx::query_scalar(live).bind(view.name).bind(view.version).fetch_optional(&db).await?;
            let generation = generation.with_context(|| format!("{} is of another version: build both programs", view.name))?;
            select = expand(&select, view, generation);
        }
        let app = App { db, select: select.into(), public_url: self.public_url.into() };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", json!({ "message": "bare listens", "address": listener.local_addr()?.to_string() }));
        axum::serve(listener, Router::new().route("/api/v1/pizzas/{id}", get(one)).with_state(app)).await?;
        Ok(())
    }
}

async fn one(State(app): State<App>, Path(id): Path<Uuid>) -> Result<Json<Pizza>, StatusCode> {
    let query = sqlx::query_as(AssertSqlSafe(app.select.clone())).bind(id);
    let found: Option<Row> = query.fetch_optional(&app.db).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let row = found.filter(|row| row.approved && !row.gone).ok_or(StatusCode::NOT_FOUND)?;
    let link = |path: &str, id: Uuid| format!("{}/api/v1/{path}/{id}", app.public_url);
    Ok(Json(Pizza {
        id: row.pizza_id,
        href: link("pizzas", row.pizza_id),
        title: row.title,
        description: row.description,
        thumbnail_url: row.thumbnail_url,
        diet: row.diet,
        approved: row.approved,
        pizzeria: Place { id: row.pizzeria_id, href: link("pizzerias", row.pizzeria_id), name: row.pizzeria_name },
        like_count: row.likes,
        dislike_count: row.dislikes,
        created_at: row.created_at,
    }))
}
