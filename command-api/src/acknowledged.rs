//! `ACK=kafka`: a command that was accepted is answered when the broker has its events, too.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use event_log::{Partition, kafka::Arrived};
use service_kit::token::{CONSISTENCY_TOKEN, ConsistencyToken};

/// How long an answer waits for the broker.
const LIMIT: Duration = Duration::from_secs(2);

/// Waits for what an answer's token names. If that takes too long the answer is 202: it is done, and the broker will hear of it.
pub async fn waited_for(State(arrived): State<Arrived>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let token = response.headers().get(&CONSISTENCY_TOKEN).and_then(|token| token.to_str().ok()?.parse::<ConsistencyToken>().ok());
    let place = token.and_then(|token| Some((Partition::new(token.partition)?, token.position)));
    if let Some((partition, position)) = place
        && response.status().is_success()
        && !arrived.wait(partition, position, LIMIT).await
    {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    response
}
