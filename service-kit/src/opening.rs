//! What a service does until its stores are open: it answers 503, and waits for a store that is being moved to where it looks.

use std::{io, os::fd::AsFd, pin::pin, time::Duration};

use axum::{
    Router,
    http::header::CONNECTION,
    routing::{any, get},
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    Problem, Slug,
    config::ConfigError,
    http::{frame, livez, serve},
};

/// Until then whoever connects waits: mostly all is open much sooner.
const SOON: Duration = Duration::from_secs(1);
/// How often a store that is not whole yet is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What `open` has opened. If that takes longer than a second, these listeners answer 503 meanwhile.
///
/// # Errors
/// Those of `open`, but for a store that is not whole yet: then it is tried again.
pub async fn opened<const N: usize, T, E>(listeners: [&TcpListener; N], open: impl AsyncFn() -> Result<T, E>) -> anyhow::Result<T>
where
    E: Into<anyhow::Error>,
{
    let mut opening = pin!(once_whole(open));
    if let Ok(opened) = tokio::time::timeout(SOON, &mut opening).await {
        return opened;
    }
    let (mut serving, stop) = (JoinSet::new(), CancellationToken::new());
    for listener in listeners {
        serving.spawn(serve(twin(listener)?, meanwhile(), stop.clone()));
    }
    let opened = opening.await;
    stop.cancel();
    serving.join_all().await;
    opened
}

async fn once_whole<T, E: Into<anyhow::Error>>(open: impl AsyncFn() -> Result<T, E>) -> anyhow::Result<T> {
    let mut told = false;
    loop {
        let error = match open().await {
            Ok(opened) => return Ok(opened),
            Err(error) => error.into(),
        };
        if !error.downcast_ref::<ConfigError>().is_some_and(|error| error.passes) {
            return Err(error);
        }
        if !told {
            tracing::warn!(error = format!("{error:#}"), "a store is not whole yet; it is waited for");
            told = true;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// No connection outlives it: whoever is told to come again finds the service itself.
fn meanwhile() -> Router {
    let starting = async || ([(CONNECTION, "close")], Problem::new(Slug::Unavailable, "Tizza is starting: it waits for its stores."));
    let livez = async || ([(CONNECTION, "close")], livez().await);
    frame(Router::new().route("/livez", get(livez)).route("/", any(starting)).route("/{*path}", any(starting)))
}

/// A second one on the same socket, so that the first can be served after it.
fn twin(listener: &TcpListener) -> io::Result<TcpListener> {
    TcpListener::from_std(listener.as_fd().try_clone_to_owned()?.into())
}
