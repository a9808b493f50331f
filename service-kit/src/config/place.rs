//! Where a store is, and which setting says so.

use std::{error::Error, fmt, time::Duration};

use database::{OpenError, StoreUrl};

use super::ConfigError;

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
