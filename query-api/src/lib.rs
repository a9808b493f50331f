//! The query side: answers from the read store, and from nothing else.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`app`] | what every route needs, and reading that includes what a client has written |
//! | [`again`] | reading again what was dropped in between |
//! | [`caching`] | entity tags, and what may be kept |
//! | [`home`] | where everything is |
//! | [`forms`] | pages with forms |
//! | [`service`] | the same as a program of its own |
//! | [`users`], [`pizzerias`], [`pizzas`], [`likes`] | the slices: routes and their statements |
//!
//! Visibility (deleted, closed, not approved) is decided when rows are read: joins and filters, never by a fold.

pub mod again;
pub mod app;
pub mod caching;
pub mod forms;
pub mod home;
pub mod likes;
pub mod pizzas;
pub mod pizzerias;
pub mod service;
pub mod users;

use axum::{Router, middleware, routing::get};
use service_kit::http::{frame, livez, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use app::App;

/// All routes that answer.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .merge(home::routes())
        .merge(forms::routes())
        .merge(users::routes())
        .merge(pizzerias::routes())
        .merge(pizzas::routes())
        .merge(likes::routes());
    let again = middleware::from_fn_with_state(app.clone(), again::read_again);
    let routes = routes.with_state(app).layer(again).layer(middleware::from_fn(caching::entity_tags));
    frame(routes.route("/livez", get(livez)))
}

/// Serves queries until `shutdown`, then finishes those in flight.
///
/// # Errors
/// The listener's own.
pub async fn run(app: App, listener: TcpListener, shutdown: CancellationToken) -> std::io::Result<()> {
    let store = app.store.clone();
    let follow = tokio::spawn(async move { store.follow().await });
    let served = serve(listener, router(app), shutdown).await;
    follow.abort();
    served
}
