//! Where a store is.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// `sqlite://path`: a file, relative to the working folder or, with a third slash, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreUrl(PathBuf);

/// Why a URL names no store.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Only SQLite is spoken so far.
    #[error("unknown scheme; expected sqlite://PATH")]
    Scheme,
    /// Nothing after the scheme.
    #[error("the path is missing; expected sqlite://PATH")]
    Path,
}

impl StoreUrl {
    /// The store in the file `path`.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        match text.strip_prefix("sqlite://") {
            None => Err(UrlError::Scheme),
            Some("") => Err(UrlError::Path),
            Some(path) => Ok(Self(path.into())),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite://{}", self.0.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file() {
        assert_eq!("sqlite://data/log.db".parse(), Ok(StoreUrl::file("data/log.db")));
        assert_eq!("sqlite:///var/log.db".parse(), Ok(StoreUrl::file("/var/log.db")));
        assert_eq!("mysql://x".parse::<StoreUrl>(), Err(UrlError::Scheme));
        assert_eq!("sqlite://".parse::<StoreUrl>(), Err(UrlError::Path));
    }
}
