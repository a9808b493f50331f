//! The same commands, sent by the forms of pages: accepted, the browser is sent on (303); refused, the page is shown again with the
//! status of the refusal.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use event_log::Actor;
use events::UserId;
use pages::{FormPage, csrf, local_path};
use service_kit::{Problem, Slug, fields::FormData, identity::Caller, problem::FieldError, request};

use super::{
    accounts::{ANYBODY, open_account, set_password},
    parse::{LogIn, PasswordChange, SignUp, Username},
    passwords::NewPassword,
    sessions::authenticate,
};
use crate::{App, answer::Author, origin::Sent};

request! {
    /// `POST /register`
    struct Registration {
        /// Unique.
        username: Username,
        /// Kept as a hash.
        password1: NewPassword,
    }
}

pub fn routes() -> Router<App> {
    Router::new()
        .route("/register", post(register))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/password_change", post(change_password))
}

/// What was sent, if it was sent from a page of ours.
fn checked(headers: &HeaderMap, form: FormData) -> Result<FormData, Problem> {
    if csrf::is_ours(headers, &form.typed("csrf_token")) {
        Ok(form)
    } else {
        Err(Problem::new(Slug::Csrf, "This form was not sent from a page of Tizza, or the page is too old: try again."))
    }
}

/// The page again, with what was wrong.
fn again(page: FormPage, headers: &HeaderMap, problem: &Problem) -> Response {
    if problem.slug.status().is_server_error() {
        return problem.clone().into_response();
    }
    page.with_problem(problem).answer(problem.slug.status(), csrf::Token::of(headers))
}

async fn register(State(app): State<App>, sent: Sent, headers: HeaderMap, form: FormData) -> Response {
    let page = FormPage::register().with_value("username", &form.typed("username"));
    let registered = async {
        let form = checked(&headers, form)?;
        let same = form.typed("password1") == form.typed("password2");
        let Registration { username, password1: password } = form.read()?;
        if !same {
            return Err(Problem::validation(vec![FieldError::new("password2", "different", "is not the same")]));
        }
        let user_id = UserId::now();
        let origin = sent.by(&app, ANYBODY, Actor::User(user_id.0));
        let body = SignUp { username, password, email: None, first_name: None, last_name: None };
        let opened = open_account(&app, &origin, user_id, body).await?;
        Ok(app.identity.begin_session(opened.stream_id).await?.1)
    };
    match registered.await {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
        Err(problem) => again(page, &headers, &problem),
    }
}

async fn log_in(State(app): State<App>, ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap, form: FormData) -> Response {
    let next = local_path(&form.typed("next")).unwrap_or("/").to_owned();
    let page = FormPage::log_in().with_value("username", &form.typed("username")).with_hidden("next", &next);
    let logged_in = async {
        let body: LogIn = checked(&headers, form)?.read()?;
        authenticate(&app, peer, &body).await
    };
    match logged_in.await {
        Ok((_, cookie)) => ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response(),
        Err(problem) => again(page, &headers, &problem),
    }
}

async fn log_out(State(app): State<App>, Caller(session): Caller, headers: HeaderMap, form: FormData) -> Response {
    let logged_out = async {
        checked(&headers, form)?;
        if let Some(session) = session {
            app.identity.end_session(session.session_id).await?;
        }
        Ok::<_, Problem>(app.identity.cleared_cookie())
    };
    match logged_out.await {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response(),
        Err(problem) => again(FormPage::log_out(), &headers, &problem),
    }
}

async fn change_password(State(app): State<App>, author: Result<Author, Problem>, headers: HeaderMap, form: FormData) -> Response {
    let changed = async {
        let body: PasswordChange = checked(&headers, form)?.read()?;
        Ok::<_, Problem>(set_password(&app, &author?, body).await?.1)
    };
    match changed.await {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
        Err(problem) if problem.slug == Slug::Unauthenticated => Redirect::to("/login?next=/password_change").into_response(),
        Err(problem) => again(FormPage::change_password(), &headers, &problem),
    }
}
