//! Where a Tizza lives: its data folder, and its stores in files there or in a database.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use database::StoreUrl;
use event_log::{EventLog, KeyStore, Keys, LogStore};
use read_store::ReadStore;
use service_kit::secrets::Secrets;
use tempfile::TempDir;

use crate::client::PASSWORD;

/// Makes each journey twice: with the stores in files, and in a database of Postgres if there is one.
macro_rules! on_both_databases {
    ($($journey:ident),+ $(,)?) => {
        mod in_files {
            $(#[tokio::test] async fn $journey() {
                super::$journey($crate::home::Home::in_files()).await;
            })+
        }

        mod in_postgres {
            $(#[tokio::test] async fn $journey() {
                if let Some(home) = $crate::home::Home::in_postgres() {
                    super::$journey(home).await;
                }
            })+
        }
    };
}
pub(crate) use on_both_databases;

/// Where a Tizza lives; the folder goes with the last clone.
#[derive(Clone)]
pub struct Home {
    folder: Arc<TempDir>,
    /// `LOG_URL` and so on: settings that are not the default.
    urls: Vec<(&'static str, String)>,
}

/// The settings of the stores, the schemas that they have in Postgres, and their files.
pub const STORES: [(&str, &str, &str); 4] = [
    ("LOG_URL", "tizza_log", "log.db"),
    ("KEYS_URL", "tizza_keys", "keys.db"),
    ("IDENTITY_URL", "tizza_identity", "identity.db"),
    ("READ_URL", "tizza_read", "read.db"),
];

impl Home {
    /// All stores in files.
    pub fn in_files() -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()), urls: vec![] }
    }

    /// All stores in a new database of the server that tests share; `None` if there is none.
    pub fn in_postgres() -> Option<Self> {
        test_servers::shared_database().ok().map(|url| Self::in_database(&url))
    }

    /// All stores in a database.
    pub fn in_database(url: &str) -> Self {
        Self { urls: STORES.map(|(setting, ..)| (setting, url.to_owned())).into(), ..Self::in_files() }
    }

    /// The same data folder with its secrets; log, keys, identity and read store in a database.
    pub fn moved(&self, url: &str) -> Self {
        Self { urls: STORES.map(|(setting, ..)| (setting, url.to_owned())).into(), ..self.clone() }
    }

    /// A new home on the other kind of database; `None` if there is none.
    pub fn another_kind(&self) -> Option<Self> {
        match self.url("LOG_URL") {
            StoreUrl::Sqlite(_) => Self::in_postgres(),
            StoreUrl::Postgres(_) => Some(Self::in_files()),
        }
    }

    /// The same, but for one store, which is in a file.
    pub fn with_file(mut self, setting: &str) -> Self {
        self.urls.retain(|(name, _)| *name != setting);
        self
    }

    /// The same, with another setting.
    pub fn with(&self, setting: &'static str, value: &Path) -> Self {
        let mut with = self.clone();
        with.urls.push((setting, value.display().to_string()));
        with
    }

    /// A setting that is not the default.
    pub fn setting(&self, setting: &str) -> String {
        self.urls.iter().find(|(name, _)| *name == setting).unwrap().1.clone()
    }

    /// Where stores and secrets are, unless told otherwise.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program, with free ports.
    pub fn tizza(&self) -> Command {
        self.program(Path::new(env!("CARGO_BIN_EXE_tizza")))
    }

    /// A program with the settings of this home and with no others.
    pub fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HTTP_PORT", "0").env("ADMIN_PORT", "0").env("LOG_FORMAT", "json").envs(self.settings());
        command
    }

    /// Makes the first superuser, the operators' way.
    pub fn creates_superuser(&self, name: &str) {
        let made = self.tizza().args(["createsuperuser", "--username", name]).env("TIZZA_PASSWORD", PASSWORD).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// `tizza ready`, as a container's health check asks.
    pub fn asks_ready(&self, arguments: &[&str]) -> Output {
        self.tizza().arg("ready").args(arguments).output().unwrap()
    }

    /// Where the stores are.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let data_dir = ("DATA_DIR", self.data_dir().display().to_string());
        self.urls.iter().cloned().chain([data_dir]).collect()
    }

    /// Where the store of a setting is.
    pub fn url(&self, setting: &str) -> StoreUrl {
        let file = STORES.iter().find(|(name, ..)| *name == setting).unwrap().2;
        let given = self.urls.iter().find(|(name, _)| *name == setting);
        given.map_or_else(|| StoreUrl::file(self.data_dir().join(file)), |(_, url)| url.parse().unwrap())
    }

    /// The log, as a program opens it.
    pub async fn log(&self) -> EventLog {
        let ring = Secrets::new(&self.data_dir(), false).key_encryption_keys().unwrap();
        let log = LogStore::open(&self.url("LOG_URL"), PATIENCE).await.unwrap();
        let keys = KeyStore::open(&self.url("KEYS_URL"), PATIENCE).await.unwrap();
        EventLog::start(log, Keys::new(keys, &ring)).await.unwrap()
    }

    /// The read store.
    pub async fn read_store(&self) -> ReadStore {
        ReadStore::open(&self.url("READ_URL"), PATIENCE).await.unwrap()
    }

    /// Runs a statement in a store, as an operator would who knows what he does.
    pub async fn execute(&self, setting: &str, sql: &'static str) {
        let schema = STORES.iter().find(|(name, ..)| *name == setting).unwrap().1;
        match self.url(setting) {
            StoreUrl::Sqlite(path) => {
                let file = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let pool = sqlx::SqlitePool::connect_with(file).await.unwrap();
                sqlx::query(sql).execute(&pool).await.unwrap();
                pool.close().await;
            }
            StoreUrl::Postgres(url) => {
                let options = url.parse::<sqlx::postgres::PgConnectOptions>().unwrap().options([("search_path", schema)]);
                let pool = sqlx::PgPool::connect_with(options).await.unwrap();
                sqlx::query(sql).execute(&pool).await.unwrap();
                pool.close().await;
            }
        }
    }
}

/// How long a store may take to open.
pub const PATIENCE: Duration = Duration::from_secs(10);
