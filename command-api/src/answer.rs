//! How an accepted command is answered: its status, where the thing is, its version, and a place in the log that includes it.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use event_log::Actor;
use serde::Serialize;
use service_kit::{
    Problem,
    identity::{Caller, Session},
    problem::FieldError,
    token::CONSISTENCY_TOKEN,
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    App,
    executor::Done,
    origin::{Origin, Sent},
};

/// Somebody who is logged in and sends a command. Nobody: 401.
#[derive(Clone, Debug)]
pub struct Author {
    /// As whom.
    pub session: Session,
    /// What the events will say.
    pub origin: Origin,
}

impl FromRequestParts<App> for Author {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let session = Caller::from_request_parts(parts, app).await?.required()?;
        let Ok(sent) = Sent::from_request_parts(parts, app).await;
        let origin = sent.by(app, &session.subject.to_string(), Actor::User(session.subject));
        Ok(Self { session, origin })
    }
}

impl<A> Done<A> {
    /// An answer without a body.
    pub fn empty(&self, status: StatusCode) -> Response {
        let mut response = status.into_response();
        response.headers_mut().insert(CONSISTENCY_TOKEN.clone(), self.token.into());
        response
    }

    /// An answer with the aggregate's own fields.
    pub fn with(&self, status: StatusCode, body: impl Serialize) -> Response {
        let body = match serde_json::to_vec(&body) {
            Ok(body) => body,
            Err(error) => return Problem::internal(error).into_response(),
        };
        let tag = format!("\"{}.{:016x}\"", self.version, xxh3_64(&body));
        let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::ETAG, tag)];
        let mut response = (status, headers, body).into_response();
        response.headers_mut().insert(CONSISTENCY_TOKEN.clone(), self.token.into());
        response
    }

    /// 201 and where it is now.
    pub fn created(&self, href: &str, body: impl Serialize) -> Response {
        let mut response = self.with(StatusCode::CREATED, body);
        let location = HeaderValue::from_str(href).expect("links are made of the public URL and ids");
        response.headers_mut().insert(header::LOCATION, location);
        response
    }
}

/// Whether a client may choose this id for something new: only v4 and v7, so that nobody occupies a derived one.
///
/// # Errors
/// 400: it is of another version.
pub fn require_chosen(id: Uuid) -> Result<(), Problem> {
    match id.get_version_num() {
        4 | 7 => Ok(()),
        _ => Err(Problem::validation(vec![FieldError::new("id", "wrong_version", "must be a UUID of version 4 or 7")])),
    }
}
