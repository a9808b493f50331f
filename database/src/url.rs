//! Where a store is.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use sqlx::postgres::PgConnectOptions;

use crate::url_parameters;

/// `sqlite://path`: a file, relative to the working folder or, with a third slash, absolute.
/// `postgres://user:password@host:port/database`: a database of a Postgres server; `?sslmode=verify-full&sslrootcert=PATH` asks for TLS.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file.
    Sqlite(PathBuf),
    /// The whole URL, with its password.
    Postgres(String),
}

/// Why a URL names no store.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither SQLite nor Postgres.
    #[error("unknown scheme; expected sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Scheme,
    /// Nothing after the scheme.
    #[error("the path is missing; expected sqlite://PATH")]
    Path,
    /// A server, and nothing that tells which of its databases.
    #[error("the database is missing; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Database,
    /// A parameter behind the question mark that cannot be used.
    #[error("{0}")]
    Parameter(String),
    /// What Postgres's clients cannot read either.
    #[error("expected postgres://USER:PASSWORD@HOST:PORT/DATABASE: {0}")]
    Malformed(String),
}

impl StoreUrl {
    /// The store in the file `path`.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite(path.into())
    }

    /// Whether the files that it names are there, and PEM.
    pub(crate) fn files_are_readable(&self) -> Result<(), String> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(text) => url_parameters::check_files(text),
        }
    }

    /// The folder that a file is in.
    pub(crate) fn folder(path: &Path) -> Option<&Path> {
        path.parent().filter(|folder| !folder.as_os_str().is_empty())
    }
}

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let scheme = text.split_once("://");
        match scheme {
            Some(("sqlite", "")) => Err(UrlError::Path),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => match text.parse::<PgConnectOptions>() {
                Ok(options) if options.get_database().is_none_or(str::is_empty) => Err(UrlError::Database),
                Ok(_) => url_parameters::check(text).map_err(UrlError::Parameter).map(|()| Self::Postgres(text.into())),
                Err(error) => Err(UrlError::Malformed(error.to_string())),
            },
            Some(_) | None => Err(UrlError::Scheme),
        }
    }
}

/// Never with the password.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => match url.parse::<PgConnectOptions>() {
                Ok(options) => write!(
                    f,
                    "postgres://{}@{}:{}/{}",
                    options.get_username(),
                    options.get_host(),
                    options.get_port(),
                    options.get_database().unwrap_or_default()
                ),
                Err(_) => f.write_str("postgres://…"),
            },
        }
    }
}

/// Never with the password.
impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_or_a_database() {
        assert_eq!("sqlite://data/log.db".parse(), Ok(StoreUrl::file("data/log.db")));
        assert_eq!("sqlite:///var/log.db".parse(), Ok(StoreUrl::file("/var/log.db")));
        assert!(matches!("postgres://u:p@db:5433/tizza".parse(), Ok(StoreUrl::Postgres(_))));
        assert_eq!("mysql://x".parse::<StoreUrl>(), Err(UrlError::Scheme));
        assert_eq!("log.db".parse::<StoreUrl>(), Err(UrlError::Scheme));
        assert_eq!("sqlite://".parse::<StoreUrl>(), Err(UrlError::Path));
        assert_eq!("postgres://u@db".parse::<StoreUrl>(), Err(UrlError::Database));
        assert!(matches!("postgres://db:port/x".parse::<StoreUrl>(), Err(UrlError::Malformed(_))));
    }

    #[test]
    fn a_password_is_never_shown() {
        let url: StoreUrl = "postgres://ada:secret@db:5433/tizza".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://ada@db:5433/tizza");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
