//! The rows of credentials and sessions.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use database::{
    Database, Durability, OpenError, Step, Store, StoreUrl,
    moving::table::{Kind, Table},
    on,
};
use sqlx::types::Json;
use uuid::Uuid;

use super::SessionTimes;
use crate::time;

/// What the identity store is.
pub static IDENTITY: Store = Store {
    schema: "tizza_identity",
    durability: Durability::Full,
    tables: &[
        Table {
            name: "credentials",
            key: 1,
            seeded: false,
            columns: &[("credential_id", Kind::Uuid), ("subject", Kind::Uuid), ("hash", Kind::Text), ("created_at", Kind::Time)],
        },
        Table {
            name: "sessions",
            key: 1,
            seeded: false,
            columns: &[
                ("session_id", Kind::Uuid),
                ("subject", Kind::Uuid),
                ("secret_hash", Kind::Bytes),
                ("started_at", Kind::Time),
                ("expires_at", Kind::Time),
            ],
        },
    ],
    steps: &[Step {
        name: "identity",
        sqlite: include_str!("../../migrations/sqlite/1_identity.sql"),
        postgres: include_str!("../../migrations/postgres/1_identity.sql"),
    }],
};

/// The identity store; clones share it.
#[derive(Clone, Debug)]
pub struct IdentityStore {
    database: Database,
}

/// A session as it is stored.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SessionRow {
    pub subject: Uuid,
    pub secret_hash: Vec<u8>,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Listed {
    session_id: Uuid,
    #[sqlx(flatten)]
    row: SessionRow,
}

impl IdentityStore {
    /// Opens the store, and brings it up to this version's shape.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &StoreUrl, patience: Duration) -> Result<Self, OpenError> {
        Ok(Self { database: Database::open(url, &IDENTITY, patience).await? })
    }

    /// Whether nobody has a credential or a session.
    ///
    /// # Errors
    /// The database's own.
    pub async fn is_empty(&self) -> Result<bool, sqlx::Error> {
        let sql = "select not exists (select 1 from credentials) and not exists (select 1 from sessions)";
        on!(&self.database.reader, |db| sqlx::query_scalar(sql).fetch_one(db).await)
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.database.close().await;
    }

    pub(super) async fn insert_credential(&self, credential_id: Uuid, subject: Uuid, hash: &str) -> Result<(), sqlx::Error> {
        let sql = "insert into credentials (credential_id, subject, hash, created_at) values ($1, $2, $3, $4)";
        on!(&self.database.writer, |db| {
            sqlx::query(sql).bind(credential_id).bind(subject).bind(hash).bind(time::now()).execute(db).await.map(drop)
        })
    }

    pub(super) async fn hash(&self, credential_id: Option<Uuid>) -> Result<Option<String>, sqlx::Error> {
        let sql = "select hash from credentials where credential_id = $1";
        on!(&self.database.reader, |db| sqlx::query_scalar(sql).bind(credential_id).fetch_optional(db).await)
    }

    pub(super) async fn insert_session(&self, session_id: Uuid, row: &SessionRow) -> Result<(), sqlx::Error> {
        let SessionRow { subject, secret_hash, started_at, expires_at } = row;
        let sql = "insert into sessions (session_id, subject, secret_hash, started_at, expires_at) values ($1, $2, $3, $4, $5)";
        on!(&self.database.writer, |db| {
            let insert = sqlx::query(sql).bind(session_id).bind(subject).bind(secret_hash).bind(started_at).bind(expires_at);
            insert.execute(db).await.map(drop)
        })
    }

    pub(super) async fn session(&self, session_id: Uuid) -> Result<Option<SessionRow>, sqlx::Error> {
        let sql = "select subject, secret_hash, started_at, expires_at from sessions where session_id = $1";
        on!(&self.database.reader, |db| sqlx::query_as(sql).bind(session_id).fetch_optional(db).await)
    }

    /// Those of them that have not ended.
    pub(super) async fn sessions(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, SessionRow>, sqlx::Error> {
        let reader = &self.database.reader;
        let (id, listed) = reader.pick(("unhex(j.value)", "json_each($1)"), ("j::uuid", "jsonb_array_elements_text($1)"));
        let sql = format!("select s.* from {listed} j join sessions s on s.session_id = {id}");
        let ids: Vec<_> = ids.iter().map(|id| id.simple()).collect();
        let rows: Vec<Listed> = on!(reader, |db| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(Json(ids)).fetch_all(db).await)?;
        Ok(rows.into_iter().map(|Listed { session_id, row }| (session_id, row)).collect())
    }

    pub(super) async fn sessions_of(&self, subject: Uuid) -> Result<Vec<SessionTimes>, sqlx::Error> {
        let sql = "select session_id, started_at, expires_at from sessions where subject = $1 and expires_at > $2
                   order by started_at desc, session_id limit 1000";
        on!(&self.database.reader, |db| sqlx::query_as(sql).bind(subject).bind(time::now()).fetch_all(db).await)
    }

    pub(super) async fn delete_session(&self, session_id: Uuid) -> Result<(), sqlx::Error> {
        let sql = "delete from sessions where session_id = $1";
        on!(&self.database.writer, |db| sqlx::query(sql).bind(session_id).execute(db).await.map(drop))
    }

    /// Ends all sessions of a subject and, if told which credential it keeps, removes all others; the answer is what was ended.
    pub(super) async fn end(&self, subject: Uuid, kept_credential: Option<Uuid>) -> Result<Vec<Uuid>, sqlx::Error> {
        let mut tx = self.database.begin().await?;
        let sql = "delete from sessions where subject = $1 returning session_id";
        let ended = on!(&mut tx, |db| sqlx::query_scalar(sql).bind(subject).fetch_all(&mut **db).await)?;
        if let Some(kept) = kept_credential {
            let sql = "delete from credentials where subject = $1 and credential_id <> $2";
            on!(&mut tx, |db| sqlx::query(sql).bind(subject).bind(kept).execute(&mut **db).await.map(drop))?;
        }
        tx.commit().await?;
        Ok(ended)
    }
}
