//! The keys of persons: one for each subject, in a store of its own, each sealed with a key-encryption key. Who destroys a subject's key
//! makes all that is sealed with it unreadable: in the log, in its copies and in every backup of them.

use std::{sync::Arc, time::Duration};

use aes_gcm::{
    Aes256Gcm, Key,
    aead::{Aead, Generate, KeyInit, Nonce, Payload},
};
use chrono::Utc;
use database::{
    Database, Durability, OpenError, Step, Store, StoreUrl,
    moving::table::{Kind, Table},
    on,
};
use metrics::{Counter, counter};
use moka::sync::Cache;
use uuid::Uuid;

use crate::{erasures::Erasures, figures::Looks};

/// How long a key is remembered after it was read: so long may another process go on reading what was erased.
const REMEMBERED: Duration = Duration::from_secs(3);
const CAPACITY: u64 = 10_000;
const NONCE: usize = 12;

/// What the key store is.
pub static KEYS: Store = Store {
    schema: "tizza_keys",
    durability: Durability::Full,
    tables: &[
        Table {
            name: "data_keys",
            key: 1,
            seeded: false,
            columns: &[("subject", Kind::Uuid), ("sealed", Kind::Bytes), ("made_at", Kind::Time)],
        },
        Table { name: "erased_subjects", key: 1, seeded: false, columns: &[("subject", Kind::Uuid), ("erased_at", Kind::Time)] },
    ],
    steps: &[Step {
        name: "keys",
        sqlite: include_str!("../migrations/sqlite/1_keys.sql"),
        postgres: include_str!("../migrations/postgres/1_keys.sql"),
    }],
};

/// The key store, opened and brought up to this version; still locked.
#[derive(Debug)]
pub struct KeyStore {
    database: Database,
}

impl KeyStore {
    /// Opens it, and makes it where there is none.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn open(url: &StoreUrl, patience: Duration) -> Result<Self, OpenError> {
        Ok(Self::of(Database::open(url, &KEYS, patience).await?))
    }

    /// What is being moved in, and so cannot be opened yet.
    #[must_use]
    pub const fn of(database: Database) -> Self {
        Self { database }
    }

    /// Closes it.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// The keys of persons; clones share one memory of them.
#[derive(Clone)]
pub struct Keys {
    pub(crate) database: Database,
    /// The first seals, all open.
    ring: Arc<[Aes256Gcm]>,
    pub(crate) known: Cache<Uuid, DataKey>,
    pub(crate) erasures: Option<Erasures>,
    looks: Looks,
    /// How often the store failed, or a key could not be opened.
    pub(crate) errors: Counter,
}

/// Why the key store does not fit the log or the key-encryption keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It is new, and the log is not: what it held is lost, or elsewhere.
    #[error("the key store is empty beside a log that is not; bring back the one that was used with it")]
    Gone,
    /// The ring lacks the key that the store was sealed with.
    #[error("none of KEY_ENCRYPTION_KEYS opens it")]
    Locked,
    /// The database failed.
    #[error("the key store's database failed")]
    Database(#[source] sqlx::Error),
}

/// The key of one subject.
#[derive(Clone)]
pub struct DataKey(Arc<Aes256Gcm>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// Unlocks a store with the key-encryption keys: the first seals, all open.
    #[must_use]
    pub fn new(store: KeyStore, ring: &[[u8; 32]]) -> Self {
        let ring = ring.iter().map(cipher).collect();
        Self {
            database: store.database,
            ring,
            known: Cache::builder().max_capacity(CAPACITY).time_to_live(REMEMBERED).build(),
            erasures: None,
            looks: Looks::into("keys"),
            errors: counter!("tizza_key_store_errors_total"),
        }
    }

    /// Keeps the list of the erased also in a file.
    #[must_use]
    pub fn with(self, erasures: Erasures) -> Self {
        Self { erasures: Some(erasures), ..self }
    }

    /// Finds out before anything is read whether these are the keys to what the log holds: a lost store, or a wrong ring, must not look as if
    /// everybody had been erased. For this there is a key of nobody, made at the first start.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub async fn check(&self, log_is_empty: bool) -> Result<(), KeysError> {
        let sql = "select (select count(*) from data_keys) + (select count(*) from erased_subjects)";
        let known: i64 = on!(&self.database.reader, |db| sqlx::query_scalar(sql).fetch_one(db).await).map_err(KeysError::Database)?;
        if known == 0 && !log_is_empty {
            return Err(KeysError::Gone);
        }
        match self.find_or_make(Uuid::nil()).await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Decode(_)) => Err(KeysError::Locked),
            Err(error) => Err(KeysError::Database(error)),
        }
    }

    /// The key of a subject. `None`: there never was one, or it was destroyed. Only a key is remembered: that there is none may be
    /// otherwise in a moment, and nobody must take a person for erased who is not.
    ///
    /// # Errors
    /// The database's own, or no key-encryption key opens it.
    pub async fn find(&self, subject: Uuid) -> Result<Option<DataKey>, sqlx::Error> {
        if let Some(known) = self.looks.found(self.known.get(&subject)) {
            return Ok(Some(known));
        }
        let found = self.read(subject).await.inspect_err(|_| self.errors.increment(1))?;
        if let Some(key) = &found {
            self.known.insert(subject, key.clone());
        }
        Ok(found)
    }

    /// The key of a subject, made if there is none. `None`: it was destroyed, and is never made again.
    ///
    /// # Errors
    /// The database's own, or no key-encryption key opens it.
    pub async fn find_or_make(&self, subject: Uuid) -> Result<Option<DataKey>, sqlx::Error> {
        if let Some(key) = self.find(subject).await? {
            return Ok(Some(key));
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let sealed = self.wrap(subject, &key)?;
        let sql = "insert into data_keys (subject, sealed, made_at) select $1, $2, $3
                   where not exists (select 1 from erased_subjects where subject = $1) on conflict do nothing";
        on!(&self.database.writer, |db| sqlx::query(sql).bind(subject).bind(sealed).bind(Utc::now()).execute(db).await.map(drop))
            .inspect_err(|_: &sqlx::Error| self.errors.increment(1))?;
        self.find(subject).await
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn read(&self, subject: Uuid) -> Result<Option<DataKey>, sqlx::Error> {
        let sql = "select sealed from data_keys where subject = $1";
        let sealed: Option<Vec<u8>> = on!(&self.database.reader, |db| sqlx::query_scalar(sql).bind(subject).fetch_optional(db).await)?;
        sealed.map(|sealed| self.unwrap(subject, &sealed)).transpose()
    }

    fn wrap(&self, subject: Uuid, key: &[u8; 32]) -> Result<Vec<u8>, sqlx::Error> {
        let first = self.ring.first().ok_or_else(|| sqlx::Error::Encode("there is no key-encryption key".into()))?;
        seal(first, key, subject.as_bytes())
    }

    fn unwrap(&self, subject: Uuid, sealed: &[u8]) -> Result<DataKey, sqlx::Error> {
        let opened = self.ring.iter().find_map(|key| open(key, sealed, subject.as_bytes()));
        let key = opened.and_then(|key| <[u8; 32]>::try_from(key).ok());
        let key = key.ok_or_else(|| sqlx::Error::Decode(format!("no key of KEY_ENCRYPTION_KEYS opens the key of {subject}").into()))?;
        Ok(DataKey(Arc::new(cipher(&key))))
    }
}

impl DataKey {
    /// Seals a value; `place` must be told again to open it.
    ///
    /// # Errors
    /// It is too long.
    pub fn seal(&self, value: &[u8], place: &[u8]) -> Result<Vec<u8>, sqlx::Error> {
        seal(&self.0, value, place)
    }

    /// Opens what was sealed at this place. `None`: it was not, or it was changed.
    #[must_use]
    pub fn open(&self, sealed: &[u8], place: &[u8]) -> Option<Vec<u8>> {
        open(&self.0, sealed, place)
    }
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

/// AES-256-GCM (RFC 5116) with a random nonce, which comes first.
fn seal(key: &Aes256Gcm, msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, sqlx::Error> {
    let nonce = Nonce::<Aes256Gcm>::generate();
    let sealed = key.encrypt(&nonce, Payload { msg, aad }).map_err(|e| sqlx::Error::Encode(e.to_string().into()))?;
    Ok([&nonce[..], &sealed].concat())
}

fn open(key: &Aes256Gcm, sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE>()?;
    key.decrypt(&(*nonce).into(), Payload { msg, aad }).ok()
}
