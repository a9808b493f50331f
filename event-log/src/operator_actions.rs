//! Who changed what: written down before it is done, and moved along with the log.

use chrono::{DateTime, Utc};
use database::on;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{EventLog, store};

/// Something that an operator wanted done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct OperatorAction {
    /// Its name; later ones have greater ones.
    pub action_id: Uuid,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// Who says that he asked.
    pub operator: String,
    /// What, e.g. `rebuild`.
    pub action: String,
    /// With what, and how.
    #[sqlx(json)]
    pub details: Value,
    /// Where it was asked from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
}

impl EventLog {
    /// Writes down what an operator wants done. It is done only when this has been written.
    ///
    /// # Errors
    /// The database's own.
    pub async fn note_operator_action(
        &self,
        operator: &str,
        action: &str,
        details: &Value,
        address: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        let sql = "insert into operator_actions (action_id, at, operator, action, details, address) values ($1, $2, $3, $4, $5, $6)";
        on!(&self.database.writer, |db| {
            let query = sqlx::query(sql).bind(Uuid::now_v7()).bind(store::now()).bind(operator);
            query.bind(action).bind(Json(details)).bind(address).execute(db).await.map(drop)
        })
    }

    /// What operators wanted done, newest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn operator_actions(&self, limit: usize) -> Result<Vec<OperatorAction>, sqlx::Error> {
        let sql =
            "select action_id, at, operator, action, details, address from operator_actions order by at desc, action_id desc limit $1";
        on!(&self.database.reader, |db| sqlx::query_as(sql).bind(limit as i64).fetch_all(db).await)
    }
}
