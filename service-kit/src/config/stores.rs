//! Where the stores are.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use database::StoreUrl;

use super::{ConfigError, GivenUrl, Place, text_in};

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
    /// File that holds LOG_URL
    #[arg(long, env, value_name = "PATH")]
    log_url_file: Option<PathBuf>,
    /// The keys to what is sealed in the log, in the same form; better not beside the log [default: keys.db in DATA_DIR]
    #[arg(long, env, hide_env_values = true)]
    keys_url: Option<GivenUrl>,
    /// File that holds KEYS_URL
    #[arg(long, env, value_name = "PATH")]
    keys_url_file: Option<PathBuf>,
    /// The read store, in the same form [default: read.db in DATA_DIR]
    #[arg(long, env, hide_env_values = true)]
    read_url: Option<GivenUrl>,
    /// File that holds READ_URL
    #[arg(long, env, value_name = "PATH")]
    read_url_file: Option<PathBuf>,
    /// Credentials and sessions, in the same form [default: identity.db in DATA_DIR]
    #[arg(long, env, hide_env_values = true)]
    identity_url: Option<GivenUrl>,
    /// File that holds IDENTITY_URL
    #[arg(long, env, value_name = "PATH")]
    identity_url_file: Option<PathBuf>,
    /// The list of erased persons: kept outside of all backups it erases them again after a restore [default: erasures beside the keys, if they
    /// are in a file]
    #[arg(long, env, value_name = "PATH")]
    erasures_file: Option<PathBuf>,
    /// Seconds that a database which is away at the start is waited for
    #[arg(long, env, default_value_t = 30)]
    connect_timeout: u64,
}

impl Stores {
    /// Where the log is.
    ///
    /// # Errors
    /// `LOG_URL`, or what `LOG_URL_FILE` holds, is no URL of a store.
    pub fn log(&self) -> Result<Place, ConfigError> {
        self.place(["LOG_URL", "LOG_URL_FILE"], (&self.log_url, &self.log_url_file), "log.db")
    }

    /// Where the keys to what is sealed in the log are.
    ///
    /// # Errors
    /// `KEYS_URL`, or what `KEYS_URL_FILE` holds, is no URL of a store.
    pub fn keys(&self) -> Result<Place, ConfigError> {
        self.place(["KEYS_URL", "KEYS_URL_FILE"], (&self.keys_url, &self.keys_url_file), "keys.db")
    }

    /// Where the read store is.
    ///
    /// # Errors
    /// `READ_URL`, or what `READ_URL_FILE` holds, is no URL of a store.
    pub fn read(&self) -> Result<Place, ConfigError> {
        self.place(["READ_URL", "READ_URL_FILE"], (&self.read_url, &self.read_url_file), "read.db")
    }

    /// Where credentials and sessions are.
    ///
    /// # Errors
    /// `IDENTITY_URL`, or what `IDENTITY_URL_FILE` holds, is no URL of a store.
    pub fn identity(&self) -> Result<Place, ConfigError> {
        self.place(["IDENTITY_URL", "IDENTITY_URL_FILE"], (&self.identity_url, &self.identity_url_file), "identity.db")
    }

    /// Where the list of the erased is; none where the keys are on a server and no file was named.
    #[must_use]
    pub fn erasures(&self) -> Option<PathBuf> {
        let beside =
            || matches!(self.keys(), Ok(place) if matches!(place.url, StoreUrl::Sqlite(_))).then(|| self.data_dir.join("erasures"));
        self.erasures_file.clone().or_else(beside)
    }

    fn place(
        &self,
        [setting, file_setting]: [&'static str; 2],
        given: (&Option<GivenUrl>, &Option<PathBuf>),
        default: &str,
    ) -> Result<Place, ConfigError> {
        let patience = Duration::from_secs(self.connect_timeout);
        match given {
            (Some(_), Some(_)) => Err(ConfigError::new(file_setting, format!("{setting} is set as well: only one of them"))),
            (Some(url), None) => url.place(setting, patience),
            (None, Some(path)) => GivenUrl::from(text_in(file_setting, path)?).place(file_setting, patience),
            (None, None) => Ok(Place::new("DATA_DIR", StoreUrl::file(self.data_dir.join(default)), patience)),
        }
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
    use database::OpenError;

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

    #[test]
    fn a_url_may_be_in_a_file_and_is_not_shown_either() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        std::fs::write(path, "postgres://ada:secret@db:5433/tizza\n").unwrap();
        assert_eq!(stores(&["--log-url-file", path]).log().unwrap().url.to_string(), "postgres://ada@db:5433/tizza");
        let refused = |arguments: &[&str]| stores(arguments).log().unwrap_err().to_string();
        let both = refused(&["--log-url-file", path, "--log-url", "sqlite://log.db"]);
        assert_eq!(both, "LOG_URL_FILE: LOG_URL is set as well: only one of them");
        std::fs::write(path, "mysql://ada:secret@db/tizza").unwrap();
        let unknown = refused(&["--log-url-file", path]);
        assert!(unknown.starts_with("LOG_URL_FILE: unknown scheme") && !unknown.contains("secret"), "{unknown}");
        assert!(refused(&["--log-url-file", "/nowhere/url"]).starts_with("LOG_URL_FILE: /nowhere/url cannot be read"));
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_named_by_its_setting() {
        let refuse = async |url: &StoreUrl, _| Err(OpenError::Newer { url: url.clone(), migration: 9 });
        let of = async |place: Place| place.open::<()>(refuse).await.unwrap_err().setting;
        let stores = stores(&["--read-url", "sqlite:///r/read.db"]);
        assert_eq!((of(stores.read().unwrap()).await, of(stores.identity().unwrap()).await), ("READ_URL", "DATA_DIR"));
    }
}
