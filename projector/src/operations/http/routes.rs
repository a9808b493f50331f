//! What is done or told at once.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use event_log::OperatorAction;
use serde::Serialize;
use service_kit::{
    Problem,
    fields::Parsed,
    page::{Flag, Number, Parameters},
};

use super::bodies::{Actions, CleanUp, ParkedOf, Rollback, Skip};
use crate::{
    jobs::KEPT,
    operations::{By, Cleaned, OperationError, Operations, Parked, ProjectionStatus, Retried},
};

/// How many are told, unless more are asked for.
const SOME: i64 = 100;

/// A list.
#[derive(Debug, Serialize)]
pub struct Results<T> {
    /// Its items.
    pub results: Vec<T>,
}

/// A list of which there may be more.
#[derive(Debug, Serialize)]
pub struct Counted<T> {
    /// How many there are.
    pub count: i64,
    /// The first of them.
    pub results: Vec<T>,
}

fn limit<const MOST: i64>(limit: Option<Number<1, MOST>>) -> i64 {
    limit.map_or(SOME, |Number(limit)| limit)
}

/// `GET /projections`
pub async fn projections(State(operations): State<Operations>) -> Result<Json<Results<ProjectionStatus>>, OperationError> {
    Ok(Json(Results { results: operations.statuses().await? }))
}

/// `GET /projections/{name}`
pub async fn projection(State(operations): State<Operations>, Path(name): Path<String>) -> Result<Json<ProjectionStatus>, OperationError> {
    Ok(Json(operations.status(&name).await?))
}

/// `POST /projections/{name}/rollback`
pub async fn rollback(
    State(operations): State<Operations>,
    by: By,
    Path(name): Path<String>,
    Parameters(Rollback { force }): Parameters<Rollback>,
) -> Result<Json<ProjectionStatus>, OperationError> {
    Ok(Json(operations.rollback(&by, &name, force.is_some_and(|Flag(force)| force)).await?))
}

/// `GET /parked`
pub async fn parked(
    State(operations): State<Operations>,
    Parameters(of): Parameters<ParkedOf>,
) -> Result<Json<Counted<Parked>>, OperationError> {
    let projection = of.projection.as_ref().map(|name| name.as_str());
    let (results, count) = operations.parked(projection, limit(of.limit)).await?;
    Ok(Json(Counted { count, results }))
}

/// `GET /parked/{id}`
pub async fn parked_event(State(operations): State<Operations>, Path(id): Path<String>) -> Result<Json<Parked>, OperationError> {
    Ok(Json(operations.parked_event(&id).await?))
}

/// `POST /parked/{id}/retry`
pub async fn retry(
    State(operations): State<Operations>,
    by: By,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Retried>), OperationError> {
    Ok((StatusCode::ACCEPTED, Json(operations.retry(&by, &id).await?)))
}

/// `DELETE /parked/{id}`
pub async fn skip(
    State(operations): State<Operations>,
    by: By,
    Path(id): Path<String>,
    Parsed(Skip { reason }): Parsed<Skip>,
) -> Result<StatusCode, Problem> {
    operations.skip(&by, &id, reason.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /cleanups`
pub async fn clean_up(
    State(operations): State<Operations>,
    by: By,
    Parsed(CleanUp { older_than_s, copies }): Parsed<CleanUp>,
) -> Result<Json<Cleaned>, Problem> {
    let older_than = older_than_s.map_or(KEPT, |seconds| seconds.0);
    Ok(Json(operations.cleanup(&by, older_than, &copies.unwrap_or_default().0).await?))
}

/// `GET /actions`
pub async fn actions(
    State(operations): State<Operations>,
    Parameters(Actions { limit: most }): Parameters<Actions>,
) -> Result<Json<Results<OperatorAction>>, OperationError> {
    Ok(Json(Results { results: operations.actions(limit(most) as usize).await? }))
}
