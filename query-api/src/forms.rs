//! Pages with forms; what they send goes to the command side.

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use pages::{FormPage, csrf::Token, local_path};
use service_kit::{Problem, identity::Caller};

use crate::App;

/// `/register`, `/login`, `/logout`, `/password_change`
pub fn routes() -> Router<App> {
    Router::new()
        .route("/register", get(async |headers: HeaderMap| shown(FormPage::register(), &headers)))
        .route("/login", get(log_in))
        .route("/logout", get(async |headers: HeaderMap| shown(FormPage::log_out(), &headers)))
        .route("/password_change", get(change_password))
}

fn shown(page: FormPage, headers: &HeaderMap) -> Response {
    page.answer(StatusCode::OK, Token::of(headers))
}

async fn log_in(headers: HeaderMap, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let next = pairs.iter().find(|(name, _)| name == "next").and_then(|(_, next)| local_path(next));
    shown(FormPage::log_in().with_hidden("next", next.unwrap_or("/")), &headers)
}

async fn change_password(State(_): State<App>, headers: HeaderMap, caller: Result<Caller, Problem>) -> Response {
    match caller {
        Ok(Caller(Some(_))) => shown(FormPage::change_password(), &headers),
        Ok(Caller(None)) => Redirect::to("/login?next=/password_change").into_response(),
        Err(problem) => problem.into_response(),
    }
}
