//! The kinds of problems: their names and statuses.

use axum::http::StatusCode;

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
