//! Jobs: rebuilds, copies and verifications.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use read_store::jobs::Job;
use service_kit::{
    Problem,
    fields::Parsed,
    http::Id,
    page::{Flag, Parameters},
};

use super::{
    bodies::{Rebuild, Resume, Verify},
    routes::Results,
};
use crate::operations::{By, OperationError, Operations, Wanted, error::place};

fn accepted(job: Job) -> Response {
    (StatusCode::ACCEPTED, [(header::LOCATION, place(&job))], Json(job)).into_response()
}

/// `GET /rebuilds`
pub async fn list(State(operations): State<Operations>) -> Result<Json<Results<Job>>, OperationError> {
    Ok(Json(Results { results: operations.jobs().await? }))
}

/// `POST /rebuilds`
pub async fn rebuild(State(operations): State<Operations>, by: By, Parsed(body): Parsed<Rebuild>) -> Result<Response, Problem> {
    let wanted = Wanted {
        projection: body.projection.into(),
        dry_run: body.dry_run.unwrap_or_default(),
        force: body.force.unwrap_or_default(),
        until: body.until.map(Into::into),
        into: body.into.map(Into::into),
    };
    Ok(accepted(operations.rebuild(&by, &wanted).await?))
}

/// `POST /verifications`
pub async fn verify(State(operations): State<Operations>, by: By, Parsed(body): Parsed<Verify>) -> Result<Response, Problem> {
    Ok(accepted(operations.verify(&by, body.projection.as_str()).await?))
}

/// `GET /rebuilds/{id}`
pub async fn one(State(operations): State<Operations>, Id(id): Id) -> Result<Json<Job>, OperationError> {
    Ok(Json(operations.job(id, false).await?))
}

/// `GET /verifications/{id}`
pub async fn one_verification(State(operations): State<Operations>, Id(id): Id) -> Result<Json<Job>, OperationError> {
    Ok(Json(operations.job(id, true).await?))
}

/// `DELETE /rebuilds/{id}`
pub async fn abort(State(operations): State<Operations>, by: By, Id(id): Id) -> Result<StatusCode, Problem> {
    let job = operations.job(id, false).await?;
    drop_job(&operations, &by, &job).await
}

/// `DELETE /verifications/{id}`
pub async fn abort_verification(State(operations): State<Operations>, by: By, Id(id): Id) -> Result<StatusCode, Problem> {
    let job = operations.job(id, true).await?;
    drop_job(&operations, &by, &job).await
}

async fn drop_job(operations: &Operations, by: &By, job: &Job) -> Result<StatusCode, Problem> {
    Ok(if operations.abort(by, job).await? { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED })
}

/// `POST /rebuilds/{id}/pause`
pub async fn pause(State(operations): State<Operations>, by: By, Id(id): Id) -> Result<StatusCode, Problem> {
    let job = operations.job(id, false).await?;
    operations.pause(&by, &job).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /rebuilds/{id}/resume`
pub async fn resume(
    State(operations): State<Operations>,
    by: By,
    Id(id): Id,
    Parameters(Resume { dry_run, force }): Parameters<Resume>,
) -> Result<Response, Problem> {
    let job = operations.job(id, false).await?;
    let flag = |flag: Option<Flag>| flag.map(|Flag(flag)| flag);
    Ok(accepted(operations.resume(&by, &job, flag(dry_run), flag(force)).await?))
}
