//! The routes, for who shows the token.

mod bodies;
mod explanations;
mod rebuilds;
mod routes;

use std::net::{IpAddr, SocketAddr};

use axum::{
    Router,
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderName, HeaderValue, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use service_kit::{
    Problem, Slug,
    config::Access,
    http::{detached, frame},
};

use super::{By, Operations};

/// Who says that he operates.
static OPERATOR: HeaderName = HeaderName::from_static("x-operator");
/// Longer names are refused.
const LONGEST_NAME: usize = 200;

/// Everything under `/api/v1/operations`.
pub fn router(operations: Operations, access: Access) -> Router {
    let routes = Router::new()
        .route("/projections", get(routes::projections))
        .route("/projections/{name}", get(routes::projection))
        .route("/projections/{name}/rollback", post(routes::rollback))
        .route("/rebuilds", get(rebuilds::list).post(rebuilds::rebuild))
        .route("/rebuilds/{id}", get(rebuilds::one).delete(rebuilds::abort))
        .route("/rebuilds/{id}/pause", post(rebuilds::pause))
        .route("/rebuilds/{id}/resume", post(rebuilds::resume))
        .route("/verifications", post(rebuilds::verify))
        .route("/verifications/{id}", get(rebuilds::one_verification).delete(rebuilds::abort_verification))
        .route("/parked", get(routes::parked))
        .route("/parked/{id}", get(routes::parked_event))
        .route("/parked/{id}", delete(routes::skip))
        .route("/parked/{id}/retry", post(routes::retry))
        .route("/cleanups", post(routes::clean_up))
        .route("/actions", get(routes::actions))
        .route("/explanations", get(explanations::explain))
        .with_state(operations)
        .layer(middleware::from_fn(detached))
        .layer(middleware::from_fn_with_state(access, let_in));
    frame(Router::new().nest("/api/v1/operations", routes))
}

/// Nobody learns anything without the token.
async fn let_in(State(access): State<Access>, request: Request, next: Next) -> Response {
    let refused = match access {
        Access::Set(token) | Access::Made(token) if token.is_shown(request.headers()) => return next.run(request).await,
        Access::Set(_) | Access::Made(_) => {
            let mut problem = Problem::new(Slug::Unauthenticated, "Operations ask for the admin token: Authorization: Bearer ….");
            problem.headers = vec![(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tizza operations\""))];
            problem
        }
        Access::Closed => Problem::new(
            Slug::PermissionDenied,
            "Other machines reach this listener, and no token was set: set ADMIN_TOKEN or ADMIN_TOKEN_FILE, or ADMIN_HOST to 127.0.0.1.",
        ),
    };
    refused.into_response()
}

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let operator = match parts.headers.get(&OPERATOR) {
            None => "unknown".to_owned(),
            Some(name) => name
                .to_str()
                .ok()
                .filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME)
                .ok_or_else(|| Problem::new(Slug::Malformed, format!("X-Operator: at most {LONGEST_NAME} visible ASCII characters.")))?
                .to_owned(),
        };
        Ok(Self { operator, address: address.map(|address: IpAddr| address.to_canonical()) })
    }
}
