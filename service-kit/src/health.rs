//! The admin listener: whether this process is there, and whether it can do its work.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use chrono::{DateTime, Utc};
use event_log::{
    EventLog,
    kafka::{Backlog, Topic},
};
use futures::future::join_all;
use metrics::gauge;
use serde_json::{Map, Value, json};

use crate::{http::livez, metrics::Scrape};

/// After so long an event that waits for the broker means that the broker is away, whether it says so or not.
const AWAY: Duration = Duration::from_secs(5);

/// What is asked of a service, and under which name it is told.
type Checks = BTreeMap<&'static str, Box<dyn Fn() -> futures::future::BoxFuture<'static, Health> + Send + Sync>>;

/// How something that a service depends on is.
#[derive(Clone, Debug)]
pub enum Health {
    /// As it should be; what there is to tell.
    Fine(Value),
    /// It is away, and the service does its work all the same.
    Degraded(Value),
    /// The service cannot do its work.
    Down,
}

impl Health {
    /// Fine, if it answers.
    pub fn of<T, E: std::fmt::Display>(answer: Result<T, E>) -> Self {
        match answer {
            Ok(_) => Self::Fine("ok".into()),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                Self::Down
            }
        }
    }
}

/// Checks of a service, and what is measured when somebody looks.
#[derive(Default)]
pub struct Readiness {
    checks: Checks,
    scrape: Scrape,
}

impl Readiness {
    /// With one more.
    #[must_use]
    pub fn with<F: Future<Output = Health> + Send + 'static>(
        mut self,
        name: &'static str,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        self.checks.insert(name, Box::new(move || Box::pin(check())));
        self
    }

    /// With something to measure; `tell` gets `None` where there was no answer in time.
    #[must_use]
    pub fn measuring<T, E, F>(
        mut self,
        ask: impl Fn() -> F + Send + Sync + 'static,
        tell: impl Fn(Option<T>) + Send + Sync + 'static,
    ) -> Self
    where
        T: Send,
        E: std::fmt::Display + Send,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.scrape.add(ask, tell);
        self
    }

    /// With the log, and the broker if there is one.
    #[must_use]
    pub fn with_log(self, log: &EventLog, topic: Option<&Topic>) -> Self {
        let own = log.clone();
        let checked = self.with("log", move || {
            let log = own.clone();
            async move { Health::of(log.head(event_log::Partition::of(uuid::Uuid::nil())).await) }
        });
        let Some(topic) = topic.cloned() else { return checked };
        let log = log.clone();
        let backlog = move || {
            let (log, topic) = (log.clone(), topic.clone());
            async move { log.backlog(&topic).await.map(|backlog| (topic, backlog)) }
        };
        checked.measuring(backlog.clone(), measured).with("kafka", move || {
            let asked = backlog();
            async move {
                let Ok((topic, backlog)) = asked.await else { return Health::Down };
                let age = backlog.since.map_or(Duration::ZERO, age);
                let mut told = json!({ "topic": topic.name(), "backlog_events": backlog.events, "backlog_seconds": age.as_secs() });
                let refused = topic.refused();
                if let Some(why) = &refused {
                    told["refused"] = why.as_str().into();
                }
                if age > AWAY || refused.is_some() { Health::Degraded(told) } else { Health::Fine(told) }
            }
        })
    }

    /// `/livez`, `/readyz` and `/metrics`.
    pub fn router(self) -> Router {
        let checks = Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(Arc::new(self.checks));
        checks.merge(self.scrape.router())
    }
}

/// How long ago something happened; nothing happens in the future, whatever another machine's clock says.
#[must_use]
pub fn age(since: DateTime<Utc>) -> Duration {
    (Utc::now() - since).to_std().unwrap_or_default()
}

fn measured(backlog: Option<(Topic, Backlog)>) {
    let backlog = backlog.map(|(_, backlog)| backlog);
    let seconds = |backlog: Backlog| backlog.since.map_or(0.0, |since| age(since).as_secs_f64());
    gauge!("tizza_relay_backlog_events").set(backlog.map_or(f64::NAN, |backlog| backlog.events as f64));
    gauge!("tizza_relay_backlog_seconds").set(backlog.map_or(f64::NAN, seconds));
}

/// 200 with `ready` or `degraded`, or 503.
async fn readyz(State(checks): State<Arc<Checks>>) -> (StatusCode, Json<Value>) {
    let (mut told, mut status) = (Map::new(), "ready");
    // At once: who asks a database that is away is kept waiting.
    let answers = join_all(checks.iter().map(|(name, check)| async move { (*name, check().await) })).await;
    for (name, answer) in answers {
        let value = match answer {
            Health::Fine(value) => value,
            Health::Degraded(value) => {
                if status == "ready" {
                    status = "degraded";
                }
                value
            }
            Health::Down => {
                status = "not ready";
                "not available".into()
            }
        };
        told.insert(name.to_owned(), value);
    }
    told.insert("status".into(), status.into());
    let code = if status == "not ready" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(Value::Object(told)))
}
