//! Reading again what was dropped in between.

use axum::{
    body::Body,
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use database::is_missing_table;
use service_kit::Problem;

use crate::App;

/// Whoever was asleep between looking up which generations are live and reading one may find that it was dropped meanwhile: it is looked up
/// again, and read once more.
pub async fn read_again(State(app): State<App>, request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let again = Request::from_parts(parts.clone(), Body::empty());
    let response = next.clone().run(Request::from_parts(parts, body)).await;
    let cause = response.extensions().get::<Problem>().and_then(Problem::cause);
    if !cause.and_then(|cause| cause.downcast_ref()).is_some_and(is_missing_table) {
        return response;
    }
    app.store.forget_live();
    next.run(again).await
}
