//! The admin listener: whether this process is there, and whether it can do its work.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use event_log::{EventLog, Partition};
use read_store::{ReadStore, views};
use serde_json::{Map, Value, json};
use service_kit::http::livez;

/// Its routes.
pub fn router(log: EventLog, store: ReadStore) -> Router {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state((log, store))
}

async fn readyz(State((log, store)): State<(EventLog, ReadStore)>) -> (StatusCode, Json<Value>) {
    match lags(&log, &store).await {
        Ok(lags) => (StatusCode::OK, Json(json!({ "status": "ready", "log": "ok", "read_store": "ok", "lag_events": lags }))),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "detail": "a store is not available" })))
        }
    }
}

/// How many events each view has to fold yet.
async fn lags(log: &EventLog, store: &ReadStore) -> Result<Map<String, Value>, read_store::ReadError> {
    let live = store.live().await?;
    let checkpoints = store.checkpoints().await?;
    let mut heads = 0;
    for partition in Partition::all() {
        heads += log.head(partition).await?;
    }
    let lag = |view: &read_store::View| {
        let folded: i64 = checkpoints.get(&(view.name.to_owned(), live.generation(view))).map_or(0, |positions| positions.iter().sum());
        heads - folded
    };
    Ok(views::ALL.iter().map(|view| (view.name.to_owned(), lag(view).into())).collect())
}
