//! Who sends a command, and what it comes with: a key by which a repeat is known, and what must be so for it to be done.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderName, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use event_log::{Actor, CommandKey, Version, trace::Traceparent};
use service_kit::{Problem, Slug, fields::MAX_BODY, http::RequestId};
use uuid::Uuid;

use crate::App;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LONGEST_KEY: usize = 255;
/// How long a client's key is remembered.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Who sends a command and what it comes with.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// The request, or the one that began it all.
    pub correlation_id: String,
    /// The event that a policy reacts to.
    pub causation_id: Option<Uuid>,
    /// Where it belongs in a trace.
    pub traceparent: Option<Traceparent>,
    /// By what a repeat is known.
    pub repeat: Repeat,
    /// What must be so.
    pub condition: Condition,
}

/// By what a repeat is known.
#[derive(Clone, Debug)]
pub enum Repeat {
    /// Each time is the first.
    Unknown,
    /// The client's own key.
    Client(CommandKey),
    /// The event that a policy reacts to: what it does to a stream is done once.
    Reaction {
        /// The policy's name.
        policy: &'static str,
        /// The event's own name.
        event_id: Uuid,
    },
}

/// What a client requires of the stream (RFC 9110, sections 13.1.1 and 13.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// `If-Match: *`: it is there.
    Exists,
    /// `If-Match`: it has one of these versions, the part before the dot of an entity tag.
    Versions(Vec<Version>),
    /// `If-None-Match: *`: it is not there yet.
    Absent,
}

impl Condition {
    /// Of a request. What is no tag of ours matches nothing; of `If-None-Match` commands know the star alone.
    fn of(headers: &HeaderMap) -> Self {
        let list =
            |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',').map(str::trim));
        if headers.contains_key(header::IF_MATCH) {
            if list(header::IF_MATCH).any(|tag| tag == "*") {
                return Self::Exists;
            }
            // Weak tags never match here: the comparison is the strong one.
            let version = |tag: &str| tag.strip_prefix('"')?.strip_suffix('"')?.split_once('.')?.0.parse().ok();
            return Self::Versions(list(header::IF_MATCH).filter_map(version).collect());
        }
        if list(header::IF_NONE_MATCH).any(|tag| tag == "*") { Self::Absent } else { Self::None }
    }

    /// Refuses a stream that is otherwise.
    ///
    /// # Errors
    /// 412.
    pub(crate) fn check(&self, version: Version) -> Result<(), Problem> {
        let met = match self {
            Self::None => true,
            Self::Exists => version > 0,
            Self::Versions(versions) => versions.contains(&version),
            Self::Absent => version == 0,
        };
        let detail = match self {
            Self::Absent => "It is there already, and If-None-Match: * asks for the contrary.",
            Self::None | Self::Exists | Self::Versions(_) => "It is not, or no more, the version that If-Match names.",
        };
        if met { Ok(()) } else { Err(Problem::new(Slug::PreconditionFailed, detail)) }
    }
}

impl Origin {
    /// What the program itself does.
    #[must_use]
    pub fn system(name: &str, correlation_id: String) -> Self {
        let actor = Actor::System(name.into());
        Self { actor, correlation_id, causation_id: None, traceparent: None, repeat: Repeat::Unknown, condition: Condition::None }
    }

    /// By what a repeat of this command on a stream is known.
    pub(crate) fn key(&self, app: &App, stream_id: Uuid) -> Option<CommandKey> {
        match &self.repeat {
            Repeat::Unknown => None,
            Repeat::Client(key) => Some(key.clone()),
            Repeat::Reaction { policy, event_id } => Some(app.claim_key.of_reaction(policy, *event_id, stream_id)),
        }
    }
}

/// What a request says of its command, apart from who sends it.
#[derive(Clone, Debug)]
pub struct Sent {
    request_id: RequestId,
    traceparent: Option<Traceparent>,
    condition: Condition,
    keyed: Option<Keyed>,
}

/// What a client's key is a key to.
#[derive(Clone, Debug)]
struct Keyed {
    key: String,
    method: String,
    path: String,
    body: Bytes,
}

impl Sent {
    /// The origin of a command that `principal` sends, and of which `actor` will be named.
    #[must_use]
    pub fn by(&self, app: &App, principal: &str, actor: Actor) -> Origin {
        let repeat = match &self.keyed {
            None => Repeat::Unknown,
            Some(Keyed { key, method, path, body }) => Repeat::Client(app.claim_key.of_client(&[principal, method, path, key], body, KEPT)),
        };
        let (correlation_id, traceparent) = (self.request_id.0.to_string(), self.traceparent);
        Origin { actor, correlation_id, causation_id: None, traceparent, repeat, condition: self.condition.clone() }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let request_id = RequestId::from_request_parts(parts, state).await?;
        let traceparent = parts.extensions.get().copied();
        Ok(Self { request_id, traceparent, condition: Condition::of(&parts.headers), keyed: parts.extensions.get().cloned() })
    }
}

/// Reads the `Idempotency-Key` of a request, and its body, by which a repeat is told from another command under the same key.
pub async fn keyed(request: Request, next: Next) -> Response {
    let Some(given) = request.headers().get(&IDEMPOTENCY_KEY) else { return next.run(request).await };
    let given = given.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len())).map(ToOwned::to_owned);
    let Some(key) = given else {
        let detail = format!("Idempotency-Key: must have 1 to {LONGEST_KEY} visible ASCII characters.");
        return Problem::new(Slug::Malformed, detail).into_response();
    };
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return Problem::new(Slug::TooLarge, format!("The body must have at most {MAX_BODY} bytes.")).into_response();
    };
    let path = parts.uri.path().to_owned();
    parts.extensions.insert(Keyed { key, method: parts.method.to_string(), path, body: body.clone() });
    next.run(Request::from_parts(parts, Body::from(body))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(name: &'static str, value: &'static str) -> Condition {
        Condition::of(&HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]))
    }

    #[test]
    fn a_tag_names_a_version_and_a_star_whether_it_is_there() {
        assert_eq!(condition("if-match", "\"7.0123456789abcdef\""), Condition::Versions(vec![7]));
        assert_eq!(condition("if-match", "\"7.a\", \"8.b\""), Condition::Versions(vec![7, 8]));
        assert_eq!(condition("if-match", "*"), Condition::Exists);
        assert_eq!(condition("if-none-match", "*"), Condition::Absent);
        assert_eq!(condition("accept", "*/*"), Condition::None);
    }

    #[test]
    fn what_is_no_tag_of_ours_matches_nothing() {
        for value in ["W/\"7.a\"", "7.a", "\"7\"", "\"x.a\"", ""] {
            assert_eq!(condition("if-match", value), Condition::Versions(vec![]), "{value}");
            assert!(condition("if-match", value).check(7).is_err());
        }
        assert_eq!(condition("if-none-match", "\"7.a\""), Condition::None);
    }

    #[test]
    fn a_condition_is_met_or_not() {
        assert!(Condition::Versions(vec![7]).check(7).is_ok() && Condition::Versions(vec![7]).check(8).is_err());
        assert!(Condition::Exists.check(1).is_ok() && Condition::Exists.check(0).is_err());
        assert!(Condition::Absent.check(0).is_ok() && Condition::Absent.check(1).is_err());
    }
}
