//! The frame around every request: its id, its log line, its limits, and the body of every problem. And serving.

mod detached;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, RawPathParams, Request, State},
    http::{Extensions, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use event_log::trace::{KeyValue, Span, SpanKind};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{ServiceBuilder, util::MapResponseLayer};
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use crate::{
    Problem, Slug,
    fields::{MAX_BODY, hyphenated},
    metrics,
};

pub use detached::detached;

/// How long a request may take before it is answered 504.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stopping server waits for the requests in flight.
const DRAIN: Duration = Duration::from_secs(35);

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called in answers and in the log, and what all that follows from it is correlated by.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(Uuid::now_v7().to_string().into())))
    }
}

/// Who makes a request, for its log line: filled in by whoever finds out.
#[derive(Clone, Debug, Default)]
pub struct LoggedActor(Arc<OnceLock<Uuid>>);

impl LoggedActor {
    /// Tells the frame who makes the request of these extensions.
    pub fn tell(extensions: &Extensions, actor: Uuid) {
        if let Some(Self(slot)) = extensions.get() {
            // Told twice it is the same one.
            let _ = slot.set(actor);
        }
    }
}

/// An id in a path. What is not an id names nothing: 404.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
        let first = params.iter().next().and_then(|(_, value)| hyphenated(value));
        first.map(Self).ok_or_else(Problem::not_found)
    }
}

/// Puts a service's routes into the frame.
pub fn frame(routes: Router) -> Router {
    routes
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::new(Slug::MethodNotAllowed, "This resource does not take this method."))
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn(around))
                .map_response(security_headers)
                .layer(CatchPanicLayer::custom(|_| Problem::internal("a handler panicked").into_response()))
                .layer(DefaultBodyLimit::max(MAX_BODY)),
        )
}

/// Marks routes that answer errors as `{"status": "error", "message": "…"}`, the way an older contract has them;
/// `not_found` is what it says of the unknown.
pub fn status_and_message<S: Clone + Send + Sync + 'static>(routes: Router<S>, not_found: &'static str) -> Router<S> {
    routes.layer(MapResponseLayer::new(move |mut response: Response| {
        response.extensions_mut().insert(StatusAndMessage { not_found });
        response
    }))
}

#[derive(Clone)]
struct StatusAndMessage {
    not_found: &'static str,
}

async fn around(State(()): State<()>, path: Option<MatchedPath>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let instance = request.uri().path().to_owned();
    let actor = LoggedActor::default();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(actor.clone());
    let (name, route) = (metrics::known(&method), path.as_ref().map_or("none", MatchedPath::as_str));
    let mut span = served(name, route, &request);
    if let Some(context) = span.context() {
        request.extensions_mut().insert(context);
    }
    let mut response = match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Slug::Timeout, "It took too long.").into_response(),
    };
    response = with_problem_body(response, &instance, &id);
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    span.tell(|| KeyValue::new("http.response.status_code", i64::from(response.status().as_u16())));
    if response.status().is_server_error() {
        span.fail(response.status());
    }
    metrics::answered(name, route, response.status(), started);
    tracing::info!(
        request_id = %id.0,
        trace_id = span.context().map(|context| tracing::field::display(context.trace_id())),
        method = %method,
        route,
        status = response.status().as_u16(),
        actor = actor.0.get().map(tracing::field::display),
        duration_ms = started.elapsed().as_micros() as f64 / 1_000.0,
        "request",
    );
    response
}

/// The span of a request, in its caller's trace (OpenTelemetry's conventions for HTTP servers).
fn served(method: &'static str, route: &str, request: &Request) -> Span {
    let caller = request.headers().get("traceparent").and_then(|value| value.to_str().ok()?.parse().ok());
    Span::begin(format_args!("{method} {route}"), SpanKind::Server, caller, || {
        // The path itself may hold somebody's name.
        vec![KeyValue::new("http.request.method", method), KeyValue::new("http.route", route.to_owned())]
    })
}

/// The caller's own id, if it can be shown; else a new one.
fn request_id(request: &Request) -> RequestId {
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let usable = given.filter(|id| !id.is_empty() && id.len() <= 128);
    RequestId(usable.map_or_else(|| Uuid::now_v7().to_string().into(), Into::into))
}

fn with_problem_body(response: Response, instance: &str, id: &RequestId) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"text/html"));
    if is_page {
        return response;
    }
    let (parts, _) = response.into_parts();
    let problem = parts.extensions.get::<Problem>().cloned();
    let problem = problem.unwrap_or_else(|| Problem::new(Slug::of_status(status), status.canonical_reason().unwrap_or("Error")));
    if let Some(cause) = &problem.cause {
        let cause: &(dyn std::error::Error + 'static) = &**cause;
        tracing::error!(request_id = %id.0, slug = problem.slug.name(), error = cause, "a request failed");
    }
    let mut answer = if let Some(StatusAndMessage { not_found }) = parts.extensions.get() {
        (status, Json(problem.older_body(not_found))).into_response()
    } else {
        let problem_json = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, problem_json, Json(problem.body(instance, &id.0))).into_response()
    };
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            answer.headers_mut().append(name, value.clone());
        }
    }
    answer.extensions_mut().extend(parts.extensions);
    answer
}

/// What every answer says to browsers.
fn security_headers<B>(mut response: Response<B>) -> Response<B> {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'self'"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Is this process there? Asks nobody else.
pub async fn livez() -> (StatusCode, &'static str) {
    (StatusCode::OK, "ok\n")
}

/// Serves until `shutdown`, then finishes the requests in flight.
///
/// # Errors
/// The listener's own.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> std::io::Result<()> {
    let stopping = shutdown.clone();
    let serving = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move { stopping.cancelled().await });
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = serving => result,
        () = deadline => {
            tracing::warn!("connections are still open; stopping all the same");
            Ok(())
        }
    }
}
