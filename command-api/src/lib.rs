//! The command side: parse, authorise, decide, append.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`app`] | what every route needs: stores, executor, settings |
//! | [`executor`] | load, decide, append, and again when somebody was faster |
//! | [`names`] | unique names |
//! | [`audit`] | the names and links that follow from a history, for `tizza log verify` |
//! | [`policy`] | reacting to events with commands |
//! | [`origin`] | who sends a command, its idempotency key and its conditions |
//! | [`acknowledged`] | waiting for the broker, if that is wished |
//! | [`answer`] | how an accepted command is answered |
//! | [`service`] | the same as a program of its own |
//! | [`users`], [`pizzerias`], [`pizzas`], [`likes`] | the slices: aggregate, routes, policies, tests |

pub mod acknowledged;
pub mod answer;
pub mod app;
pub mod audit;
pub mod executor;
pub mod likes;
pub mod names;
pub mod origin;
pub mod pizzas;
pub mod pizzerias;
pub mod policy;
pub mod service;
pub mod users;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    routing::get,
};
use event_log::kafka::Arrived;
use service_kit::{
    Problem, Slug,
    config::Ack,
    http::{detached, frame, livez, serve},
    relaying::Relaying,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use app::{App, Settings};

/// All routes that change something. Each request runs in a task of its own. `acknowledged`: where the broker is waited for.
pub fn router(app: App, acknowledged: Option<Arrived>) -> Router {
    let routes = Router::new().merge(users::routes()).merge(pizzerias::routes()).merge(pizzas::routes()).merge(likes::routes());
    let read_only = app.settings.read_only;
    let mut routes = routes.with_state(app).layer((middleware::from_fn(detached), middleware::from_fn(origin::keyed)));
    if let Some(arrived) = acknowledged {
        routes = routes.layer(middleware::from_fn_with_state(arrived, acknowledged::waited_for));
    }
    if read_only {
        routes = routes.layer(middleware::from_fn(refused));
    }
    frame(routes.route("/livez", get(livez)))
}

/// What a command is answered while nothing is to be written.
async fn refused(_: Request, _: Next) -> Problem {
    Problem::new(Slug::Unavailable, "No commands are taken for now: this Tizza is read-only.")
}

/// Starts the policies, unless nothing is to be written; they end after `shutdown`, between two events.
pub fn start_policies(app: &App, tasks: &TaskTracker, shutdown: &CancellationToken) {
    if app.settings.read_only {
        return;
    }
    tasks.spawn(policy::run(app.clone(), users::policy::EndSessions, shutdown.clone()));
    tasks.spawn(policy::run(app.clone(), pizzerias::policy::CloseOfDeleted, shutdown.clone()));
    tasks.spawn(policy::run(app.clone(), pizzas::policy::DeleteOfClosed, shutdown.clone()));
}

/// Serves commands until `shutdown`, then finishes what is in flight. What they lead to is relayed, if there is a relay.
///
/// # Errors
/// The listener's own.
pub async fn run(app: App, listener: TcpListener, relaying: Option<(Relaying, Ack)>, shutdown: CancellationToken) -> std::io::Result<()> {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    start_policies(&app, &tasks, &stop);
    let log = Arc::clone(&app.log);
    let follow = tokio::spawn(async move { log.follow().await });
    let acknowledged = start_relay(&app, relaying, &tasks, &stop);
    let served = serve(listener, router(app, acknowledged), shutdown).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    follow.abort();
    served
}

/// Starts a relay, unless nothing is to be written; it ends after `shutdown`. The answer is where the broker is waited for, if that is wished.
pub fn start_relay(app: &App, relaying: Option<(Relaying, Ack)>, tasks: &TaskTracker, shutdown: &CancellationToken) -> Option<Arrived> {
    let (relaying, ack) = relaying.filter(|_| !app.settings.read_only)?;
    let arrived = (ack == Ack::Kafka).then(|| relaying.arrived.clone());
    let shutdown = shutdown.clone();
    tasks.spawn(async move { relaying.keep_on(shutdown).await });
    arrived
}
