//! Errors as clients see them: `application/problem+json` (RFC 9457). A [`Problem`] says what went wrong; the frame
//! ([`crate::http`]) adds the path and the request id, writes the body, and logs the cause of a fault once.

mod slug;

use std::{borrow::Cow, error::Error, sync::Arc};

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

pub use slug::Slug;

/// One member of a request that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Its name.
    pub field: String,
    /// Where it is in the body (RFC 6901).
    pub pointer: String,
    /// For programs, e.g. `too_long`.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl FieldError {
    /// A member of the body itself.
    pub fn new(field: &str, code: &'static str, detail: impl Into<String>) -> Self {
        let pointer = format!("/{}", field.replace('~', "~0").replace('/', "~1"));
        Self { field: field.into(), pointer, code, detail: detail.into() }
    }
}

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its kind.
    pub slug: Slug,
    /// For people; nothing about the inside.
    pub detail: Cow<'static, str>,
    /// Every member that breaks a rule.
    pub errors: Vec<FieldError>,
    /// To be sent along, e.g. `Retry-After`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the log is told, and the client is not.
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(slug: Slug, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut headers = vec![];
        if matches!(slug, Slug::Unauthenticated | Slug::InvalidCredentials) {
            headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Cookie realm=\"tizza\"")));
        }
        if matches!(slug, Slug::Overloaded | Slug::Unavailable) {
            headers.push((header::RETRY_AFTER, HeaderValue::from_static("1")));
        }
        Self { slug, detail: detail.into(), errors: vec![], headers, cause: None }
    }

    /// Unknown, or not for these eyes: the same answer.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Slug::NotFound, "Not found.")
    }

    /// Credentials are needed.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Slug::Unauthenticated, "Log in first.")
    }

    /// Members that break rules.
    #[must_use]
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(Slug::Validation, detail) }
    }

    /// Our own fault: the log is told the cause, the client only that there was one.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into().into()), ..Self::new(Slug::Internal, "Internal error.") }
    }

    /// What the log is told, and the client is not.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// A part that this needs is away: the log is told the cause.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into().into()), ..Self::new(Slug::Unavailable, "A store is not available; try again.") }
    }
}

/// The body is written by the frame.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.slug.status().into_response();
        response.headers_mut().extend(self.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Serialize)]
pub(crate) struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    request_id: &'a str,
}

#[derive(Serialize)]
pub(crate) struct OlderBody<'a> {
    status: &'static str,
    message: &'a str,
}

impl Problem {
    /// What an older contract calls an error.
    pub(crate) fn older_body(&self, not_found: &'static str) -> OlderBody<'_> {
        let message = if self.slug == Slug::NotFound { not_found } else { &self.detail };
        OlderBody { status: "error", message }
    }

    pub(crate) fn body<'a>(&'a self, instance: &'a str, request_id: &'a str) -> Body<'a> {
        let status = self.slug.status();
        Body {
            kind: format!("https://tizza.dev/problems/{}", self.slug.name()),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &self.detail,
            instance,
            errors: &self.errors,
            request_id,
        }
    }
}
