//! The events behind one row, told while they are looked for.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use service_kit::{Problem, page::Parameters};

use super::bodies::Explain;
use crate::{
    explain::{Asked, Told},
    operations::Operations,
};

/// `GET /explanations`
pub async fn explain(
    State(operations): State<Operations>,
    Parameters(Explain { projection, key, table }): Parameters<Explain>,
) -> Result<Response, Problem> {
    let asked = Asked { key: key.into(), table: table.map(Into::into) };
    let told = operations.explain(projection.as_str(), &asked)?;
    let body = Body::from_stream(told.map(|told| line(&told)));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

fn line(told: &Told) -> Result<Bytes, serde_json::Error> {
    let mut line = serde_json::to_vec(told)?;
    line.push(b'\n');
    Ok(line.into())
}
