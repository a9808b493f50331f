//! Errors as clients see them: `application/problem+json` (RFC 9457). A [`Problem`] says what went wrong; the frame
//! ([`crate::http`]) adds the path and the request id, writes the body, and logs the cause of a fault once.

use std::{borrow::Cow, error::Error, sync::Arc};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// What kind of problem: the last part of its `type`, with its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slug {
    /// The request cannot be read.
    Malformed,
    /// The request can be read and breaks a rule.
    Validation,
    /// Credentials are needed.
    Unauthenticated,
    /// These credentials are wrong.
    InvalidCredentials,
    /// Known, but not allowed.
    PermissionDenied,
    /// A cookie came with a request that another site sent.
    Csrf,
    /// Unknown or hidden.
    NotFound,
    /// Once existed.
    Gone,
    /// The resource does not take this method.
    MethodNotAllowed,
    /// Valid, but in conflict with the state.
    Conflict,
    /// Somebody has this user name.
    UsernameTaken,
    /// Somebody has this e-mail address.
    EmailTaken,
    /// It is not as the request requires it to be (RFC 9110, section 13.1).
    PreconditionFailed,
    /// Another command was sent under this idempotency key.
    IdempotencyKeyReused,
    /// The log's epoch is another one.
    EpochChanged,
    /// More than the limit.
    TooLarge,
    /// Not JSON.
    UnsupportedMediaType,
    /// Too often; come back later.
    RateLimited,
    /// Too many at once; come back later.
    Overloaded,
    /// A part is not there yet, or away.
    Unavailable,
    /// It took too long.
    Timeout,
    /// The rows do not include the token's position yet.
    ProjectionBehind,
    /// Our fault.
    Internal,
}

impl Slug {
    /// As in the problem's `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Validation => "validation",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidCredentials => "invalid-credentials",
            Self::PermissionDenied => "permission-denied",
            Self::Csrf => "csrf",
            Self::NotFound => "not-found",
            Self::Gone => "gone",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::UsernameTaken => "username-taken",
            Self::EmailTaken => "email-taken",
            Self::PreconditionFailed => "precondition-failed",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::EpochChanged => "epoch-changed",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::ProjectionBehind => "projection-behind",
            Self::Internal => "internal",
        }
    }

    /// The status it is answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::Validation => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::InvalidCredentials => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied | Self::Csrf => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Gone => StatusCode::GONE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict | Self::UsernameTaken | Self::EmailTaken | Self::EpochChanged => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout | Self::ProjectionBehind => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What a router's own answer without a body means.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::GATEWAY_TIMEOUT => Self::Timeout,
            status if status.is_client_error() => Self::Malformed,
            _ => Self::Internal,
        }
    }
}

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
