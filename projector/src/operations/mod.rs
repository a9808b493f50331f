//! What operators can do with projections, on the admin listener and by the command line: the same for both.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`http`] | the routes |
//! | `statuses`, `sizes` | projections as operators see them; which generation is read |
//! | `jobs`, `until` | what takes a while; a moment of the past |
//! | `parked` | events that could not be folded |
//! | [`error`] | why something was not done |
//! | [`run`] | where operations are offered on this machine |

pub mod error;
pub mod http;
mod jobs;
mod parked;
pub mod run;
mod sizes;
mod statuses;
mod until;

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use event_log::{EventLog, OperatorAction};
use futures::Stream;
use read_store::{ReadStore, jobs::Job};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

use self::sizes::Sizes;
use crate::{
    Folding, Projection,
    explain::{Asked, Told, explain},
    projections,
};

pub use error::OperationError;
pub use jobs::Wanted;

/// How alike two names are where one may have been meant (of 1).
const ALIKE: f64 = 0.7;

/// What operators can do; clones are the same.
#[derive(Clone)]
pub struct Operations {
    log: EventLog,
    store: ReadStore,
    projections: Arc<[Arc<dyn Projection>]>,
    folding: Folding,
    asked: Arc<Notify>,
    sizes: Arc<Sizes>,
}

/// Who wants something done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who he says that he is.
    pub operator: String,
    /// Where he is, if that is known.
    pub address: Option<IpAddr>,
}

impl Operations {
    /// With what this program projects. `asked` wakes up whoever works on jobs.
    #[must_use]
    pub fn new(log: EventLog, store: ReadStore, folding: Folding, asked: Arc<Notify>) -> Self {
        Self { log, store, projections: projections().into(), folding, asked, sizes: Arc::default() }
    }

    /// A projection by its name.
    fn projection(&self, name: &str) -> Result<&Arc<dyn Projection>, OperationError> {
        self.projections.iter().find(|one| one.view().name == name).ok_or_else(|| {
            let alike = |one: &Arc<dyn Projection>| (strsim::jaro_winkler(one.view().name, name), one.view().name);
            let nearest = self.projections.iter().map(alike).max_by(|one, other| one.0.total_cmp(&other.0));
            let nearest = nearest.filter(|(alike, _)| *alike > ALIKE).map(|(_, name)| name);
            OperationError::UnknownProjection { name: name.to_owned(), nearest }
        })
    }

    /// Writes down who wants what, before it is done.
    async fn note(&self, by: &By, action: &str, details: &Value) -> Result<(), OperationError> {
        let address = by.address.map(|address| address.to_string());
        tracing::info!(operator = by.operator, action, "an operator acts");
        Ok(self.log.note_operator_action(&by.operator, action, details, address.as_deref()).await?)
    }

    /// What has changed a row, told while it is looked for.
    ///
    /// # Errors
    /// There is no such projection or table, or this is no key of it.
    pub fn explain(&self, projection: &str, asked: &Asked) -> Result<impl Stream<Item = Told> + Send + use<>, OperationError> {
        let projection = self.projection(projection).map_err(|error| error.of_field("projection"))?;
        explain(&self.log, &self.store, projection, asked).ok_or_else(|| {
            let (tables, known) = (projection.shapes(), |name: &String| projection.shapes().iter().any(|table| table.name == name));
            match &asked.table {
                Some(name) if !known(name) => {
                    let names: Vec<_> = tables.iter().map(|table| table.name).collect();
                    OperationError::invalid(
                        "table",
                        format!("there is no table {name} in {}: it has {}", projection.view().name, names.join(", ")),
                    )
                }
                Some(_) | None => {
                    let keys: Vec<_> = tables.iter().map(|table| format!("{} has {}", table.name, table.key_names())).collect();
                    OperationError::invalid("key", format!("must be the values of a key, with commas between them: {}", keys.join("; ")))
                }
            }
        })
    }

    /// What operators wanted done, newest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn actions(&self, limit: usize) -> Result<Vec<OperatorAction>, OperationError> {
        Ok(self.log.operator_actions(limit).await?)
    }
}

/// A projection, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectionStatus {
    /// Its name.
    pub projection: String,
    /// Each generation that has tables.
    pub generations: Vec<GenerationStatus>,
    /// What is being done with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<Job>,
}

/// A generation, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationStatus {
    /// Its number, never used again.
    pub generation: i64,
    /// Of which version of the fold.
    pub version: i64,
    /// `live`, `building`, `standby`, `old`, `copy`.
    pub state: String,
    /// A copy's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// How many events are folded, of all partitions.
    pub position: i64,
    /// How many it has to fold yet.
    pub lag_events: i64,
    /// For how long the oldest of these has waited.
    pub lag_seconds: f64,
    /// How many events are parked.
    pub parked: i64,
    /// What its tables take, in bytes, indexes included.
    pub bytes: i64,
    /// When it ceased to be live.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retired_at: Option<DateTime<Utc>>,
}

/// A parked event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// `<projection>.<generation>.<partition>.<position>`.
    pub id: String,
    /// By which projection.
    pub projection: String,
    /// In which generation.
    pub generation: i64,
    /// Where it is.
    pub partition: u16,
    /// Its place there.
    pub position: i64,
    /// The stream that it belongs to.
    pub stream_id: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Why it could not be folded; `None`: it waits behind one of its stream that could not.
    pub reason: Option<String>,
    /// Since when.
    pub parked_at: DateTime<Utc>,
}

/// What became of a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// How many events of the stream are folded now.
    pub folded: i64,
    /// How many are still parked.
    pub left: i64,
}

/// What was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaned {
    /// Tables that are gone.
    pub tables: Vec<String>,
}
