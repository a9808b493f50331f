//! Why something was not done for an operator.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use read_store::jobs::{Job, Kind, State};
use service_kit::{Problem, Slug, problem::FieldError};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// There is nothing of this name.
    #[error("there is no {0}")]
    NotFound(String),
    /// There is no such projection.
    #[error("there is no projection {name}{}", nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default())]
    UnknownProjection {
        /// As it was asked for.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// It cannot be done as things are.
    #[error("{what}")]
    Conflict {
        /// Why.
        what: String,
        /// What is in the way.
        job: Option<Box<Job>>,
    },
    /// What was asked for breaks a rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// Where.
        field: &'static str,
        /// Which.
        rule: String,
    },
    /// A token of another epoch was given.
    #[error("the log was restored since; the token means nothing any more")]
    EpochChanged,
    /// A database failed.
    #[error("a database failed")]
    Database(#[from] sqlx::Error),
}

impl OperationError {
    /// It cannot be done as things are.
    pub(crate) fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict { what: what.into(), job: None }
    }

    /// This job is in the way.
    pub(crate) fn open(job: Job) -> Self {
        Self::Conflict { what: told(&job), job: Some(Box::new(job)) }
    }

    /// A rule that is broken.
    pub(crate) fn invalid(field: &'static str, rule: impl Into<String>) -> Self {
        Self::Invalid { field, rule: rule.into() }
    }

    /// The same, where what is unknown was named by a member of the request.
    #[must_use]
    pub(crate) fn of_field(self, field: &'static str) -> Self {
        match self {
            Self::NotFound(_) | Self::UnknownProjection { .. } => Self::Invalid { field, rule: self.to_string() },
            Self::Conflict { .. } | Self::Invalid { .. } | Self::EpochChanged | Self::Database(_) => self,
        }
    }
}

/// What a job is at, and how far it is.
#[must_use]
pub fn told(job: &Job) -> String {
    let Job { id, kind, projection, state, progress, started_at, .. } = job;
    let what = match kind {
        Kind::Rebuild => "is being rebuilt",
        Kind::Upgrade => "is being built for this version",
        Kind::Verify => "is being verified",
        Kind::Copy => "is being copied",
    };
    let paused = if *state == State::Paused { ", paused" } else { "" };
    let phase = serde_json::to_value(progress.phase).ok().and_then(|phase| Some(phase.as_str()?.replace('_', " "))).unwrap_or_default();
    let far = if progress.events > 0 { format!(", {} of {} events", progress.folded, progress.events) } else { String::new() };
    format!("{projection} {what} since {}{paused}: {phase}{far} (job {id})", started_at.format("%Y-%m-%d %H:%M:%S UTC"))
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::NotFound(_) | OperationError::UnknownProjection { .. } => Self::new(Slug::NotFound, sentence(&error)),
            OperationError::EpochChanged => Self::new(Slug::EpochChanged, sentence(&error)),
            OperationError::Invalid { field, rule } => Self::validation(vec![FieldError::new(field, "invalid", rule)]),
            OperationError::Database(cause) => cause.into(),
            OperationError::Conflict { what, job } => {
                let mut problem = Self::new(Slug::Conflict, format!("{what}."));
                let place = job.and_then(|job| HeaderValue::try_from(place(&job)).ok());
                problem.headers.extend(place.map(|place| (header::LOCATION, place)));
                problem
            }
        }
    }
}

fn sentence(error: &OperationError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}{}", letters.as_str(), if text.ends_with('?') { "" } else { "." })
}

/// Where a job is looked at.
#[must_use]
pub fn place(job: &Job) -> String {
    let kind = if job.kind == Kind::Verify { "verifications" } else { "rebuilds" };
    format!("/api/v1/operations/{kind}/{}", job.id)
}

impl IntoResponse for OperationError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
