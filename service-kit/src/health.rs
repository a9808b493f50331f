//! The admin listener: whether this process is there, and whether it can do its work.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use chrono::Utc;
use event_log::{EventLog, kafka::Topic};
use serde_json::{Map, Value, json};

use crate::http::livez;

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

/// Checks of a service.
#[derive(Default)]
pub struct Readiness(Checks);

impl Readiness {
    /// With one more.
    #[must_use]
    pub fn with<F: Future<Output = Health> + Send + 'static>(
        mut self,
        name: &'static str,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        self.0.insert(name, Box::new(move || Box::pin(check())));
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
        checked.with("kafka", move || {
            let (log, topic) = (log.clone(), topic.clone());
            async move {
                let Ok(backlog) = log.backlog(&topic).await else { return Health::Down };
                let age = backlog.since.map_or(Duration::ZERO, |since| (Utc::now() - since).to_std().unwrap_or_default());
                let mut told = json!({ "topic": topic.name(), "backlog_events": backlog.events, "backlog_seconds": age.as_secs() });
                let refused = topic.refused();
                if let Some(why) = &refused {
                    told["refused"] = why.as_str().into();
                }
                if age > AWAY || refused.is_some() { Health::Degraded(told) } else { Health::Fine(told) }
            }
        })
    }

    /// `/livez` and `/readyz`.
    pub fn router(self) -> Router {
        Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(Arc::new(self.0))
    }
}

/// 200 with `ready` or `degraded`, or 503.
async fn readyz(State(checks): State<Arc<Checks>>) -> (StatusCode, Json<Value>) {
    let (mut told, mut status) = (Map::new(), "ready");
    for (name, check) in &*checks {
        let value = match check().await {
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
        told.insert((*name).to_owned(), value);
    }
    told.insert("status".into(), status.into());
    let code = if status == "not ready" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(Value::Object(told)))
}
