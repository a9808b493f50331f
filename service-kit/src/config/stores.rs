//! Where the stores are.

use std::{error::Error, fmt, path::PathBuf, time::Duration};

use clap::Args;
use database::{OpenError, StoreUrl};

use super::ConfigError;

/// Where the stores are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Stores")]
pub struct Stores {
    /// Folder of everything that is not given a place of its own: stores and made secrets
    #[arg(long, env, default_value = "./data")]
    pub data_dir: PathBuf,
    /// The log: sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE [default: log.db in DATA_DIR]
    #[arg(long, env, hide_env_values = true)]
    log_url: Option<GivenUrl>,
    /// The keys to what is sealed in the log, in the same form; better not beside the log [default: keys.db in DATA_DIR]
    #[arg(long, env, hide_env_values = true)]
    keys_url: Option<GivenUrl>,
    /// The read store, in the same form [default: read.db in DATA_DIR]
    #[arg(long, env, hide_env_values = true)]
    read_url: Option<GivenUrl>,
    /// Credentials and sessions, in the same form [default: identity.db in DATA_DIR]
    #[arg(long, env, hide_env_values = true)]
    identity_url: Option<GivenUrl>,
    /// The list of erased persons: kept outside of all backups it erases them again after a restore [default: erasures beside the keys, if they
    /// are in a file]
    #[arg(long, env, value_name = "PATH")]
    erasures_file: Option<PathBuf>,
    /// Seconds that a database which is away at the start is waited for
    #[arg(long, env, default_value_t = 30)]
    connect_timeout: u64,
}

/// What an operator gave as a URL. Read later: where clap refuses a value it repeats it, and this one may hold a password.
#[derive(Clone)]
pub struct GivenUrl(String);

impl GivenUrl {
    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The place that it names.
    ///
    /// # Errors
    /// It is no URL of a store; `setting` is named.
    pub fn place(&self, setting: &'static str, patience: Duration) -> Result<Place, ConfigError> {
        match self.0.parse() {
            Ok(url) => Ok(Place::new(setting, url, patience)),
            Err(error) => Err(ConfigError::new(setting, format!("{error}"))),
        }
    }
}

impl From<String> for GivenUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for GivenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenUrl(…)")
    }
}

impl Stores {
    /// Where the log is.
    ///
    /// # Errors
    /// `LOG_URL` is no URL of a store.
    pub fn log(&self) -> Result<Place, ConfigError> {
        self.place("LOG_URL", self.log_url.as_ref(), "log.db")
    }

    /// Where the keys to what is sealed in the log are.
    ///
    /// # Errors
    /// `KEYS_URL` is no URL of a store.
    pub fn keys(&self) -> Result<Place, ConfigError> {
        self.place("KEYS_URL", self.keys_url.as_ref(), "keys.db")
    }

    /// Where the read store is.
    ///
    /// # Errors
    /// `READ_URL` is no URL of a store.
    pub fn read(&self) -> Result<Place, ConfigError> {
        self.place("READ_URL", self.read_url.as_ref(), "read.db")
    }

    /// Where credentials and sessions are.
    ///
    /// # Errors
    /// `IDENTITY_URL` is no URL of a store.
    pub fn identity(&self) -> Result<Place, ConfigError> {
        self.place("IDENTITY_URL", self.identity_url.as_ref(), "identity.db")
    }

    /// Where the list of the erased is; none where the keys are on a server and no file was named.
    #[must_use]
    pub fn erasures(&self) -> Option<PathBuf> {
        let beside =
            || matches!(self.keys(), Ok(place) if matches!(place.url, StoreUrl::Sqlite(_))).then(|| self.data_dir.join("erasures"));
        self.erasures_file.clone().or_else(beside)
    }

    fn place(&self, setting: &'static str, url: Option<&GivenUrl>, file: &str) -> Result<Place, ConfigError> {
        let patience = Duration::from_secs(self.connect_timeout);
        match url {
            Some(given) => given.place(setting, patience),
            None => Ok(Place::new("DATA_DIR", StoreUrl::file(self.data_dir.join(file)), patience)),
        }
    }
}

/// Where a store is, and which setting says so.
#[derive(Clone, Debug)]
pub struct Place {
    setting: &'static str,
    /// Where.
    pub url: StoreUrl,
    patience: Duration,
}

impl Place {
    /// A place; a server that is away is waited for, as long as `patience` lasts.
    #[must_use]
    pub const fn new(setting: &'static str, url: StoreUrl, patience: Duration) -> Self {
        Self { setting, url, patience }
    }

    /// Whether it is a file that is not there. What a server has is told when it is opened.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(&self.url, StoreUrl::Sqlite(path) if !path.exists())
    }

    /// Opens the store.
    ///
    /// # Errors
    /// It cannot be opened; the setting is named.
    pub async fn open<T>(&self, open: impl AsyncFnOnce(&StoreUrl, Duration) -> Result<T, OpenError>) -> Result<T, ConfigError> {
        open(&self.url, self.patience).await.map_err(|error| ConfigError {
            setting: self.setting,
            problem: error.to_string(),
            source: error.source().map(|source| source.to_string().into()),
            passes: matches!(error, OpenError::Importing { .. }),
        })
    }

    /// What the store answered while the program started.
    ///
    /// # Errors
    /// It failed; the setting is named.
    pub fn answered<T>(&self, answer: Result<T, sqlx::Error>) -> Result<T, ConfigError> {
        answer.map_err(|error| ConfigError {
            setting: self.setting,
            problem: format!("{} has failed", self.url),
            source: Some(error.into()),
            passes: false,
        })
    }

    /// The store is there, and is not the right one.
    #[must_use]
    pub fn wrong(&self, why: impl std::fmt::Display) -> ConfigError {
        ConfigError::new(self.setting, format!("{}: {why}", self.url))
    }
}

/// Closes what is open already when the next part of a start fails.
///
/// # Errors
/// The same.
pub async fn or_close<T, E>(next: Result<T, E>, close: impl Future) -> Result<T, E> {
    if next.is_err() {
        close.await;
    }
    next
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        stores: Stores,
    }

    fn stores(arguments: &[&str]) -> Stores {
        Program::parse_from([&["program", "--data-dir", "/d"], arguments].concat()).stores
    }

    #[test]
    fn a_store_is_a_file_in_the_data_folder_unless_it_has_a_place_of_its_own() {
        let stores = stores(&["--keys-url", "postgres://ada:secret@db:5433/tizza"]);
        assert_eq!(stores.log().unwrap().url, StoreUrl::file("/d/log.db"));
        assert_eq!(stores.keys().unwrap().url.to_string(), "postgres://ada@db:5433/tizza");
        assert!(!format!("{stores:?}").contains("secret"));
    }

    #[test]
    fn a_url_that_names_no_store_is_refused_by_its_setting_and_not_repeated() {
        for url in ["mysql://ada:secret@db/tizza", "postgres://ada:secret@db", "postgres://ada:secret@db:port/tizza", "", "sqlite://"] {
            let refused = stores(&["--log-url", url]).log().unwrap_err().to_string();
            assert!(refused.starts_with("LOG_URL: ") && refused.contains("expected") && !refused.contains("secret"), "{refused}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_named_by_its_setting() {
        let refuse = async |url: &StoreUrl, _| Err(OpenError::Newer { url: url.clone(), migration: 9 });
        let of = async |place: Place| place.open::<()>(refuse).await.unwrap_err().setting;
        let stores = stores(&["--read-url", "sqlite:///r/read.db"]);
        assert_eq!((of(stores.read().unwrap()).await, of(stores.identity().unwrap()).await), ("READ_URL", "DATA_DIR"));
    }
}
