//! Where the stores are, and where they go.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use database::StoreUrl;
use service_kit::config::{ConfigError, GivenUrl, Place};

/// Where from, and where to.
#[derive(Args, Debug)]
pub struct Places {
    /// What is moved: a folder with log.db, keys.db and identity.db, or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, value_name = "PLACE")]
    from: GivenUrl,
    /// Where to: another place, in the same form, in which there is no Tizza yet
    #[arg(long, value_name = "PLACE")]
    to: GivenUrl,
    /// Where the keys are, if not beside the log: sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, value_name = "URL")]
    from_keys: Option<GivenUrl>,
    /// Where credentials and sessions are, if not beside the log
    #[arg(long, value_name = "URL")]
    from_identity: Option<GivenUrl>,
    /// Where the keys go, if not beside the log
    #[arg(long, value_name = "URL")]
    to_keys: Option<GivenUrl>,
    /// Where credentials and sessions go, if not beside the log
    #[arg(long, value_name = "URL")]
    to_identity: Option<GivenUrl>,
    /// Folder of the made secrets, which the new place is to be used with, too
    #[arg(long, env, default_value = "./data")]
    pub data_dir: PathBuf,
    /// Seconds that a database which is away at the start is waited for
    #[arg(long, env, default_value_t = 30)]
    connect_timeout: u64,
}

/// A store here and there.
pub struct Pair {
    pub from: Place,
    pub to: Place,
}

impl Places {
    pub fn log(&self) -> Result<Pair, ConfigError> {
        self.pair([("--from", None), ("--to", None)], "log.db")
    }

    pub fn keys(&self) -> Result<Pair, ConfigError> {
        self.pair([("--from-keys", self.from_keys.as_ref()), ("--to-keys", self.to_keys.as_ref())], "keys.db")
    }

    pub fn identity(&self) -> Result<Pair, ConfigError> {
        self.pair([("--from-identity", self.from_identity.as_ref()), ("--to-identity", self.to_identity.as_ref())], "identity.db")
    }

    fn pair(&self, [from, to]: [(&'static str, Option<&GivenUrl>); 2], file: &str) -> Result<Pair, ConfigError> {
        let patience = Duration::from_secs(self.connect_timeout);
        let place = |setting, place: &GivenUrl, (own, given): (&'static str, Option<&GivenUrl>)| match given {
            Some(url) => url.place(own, patience),
            None => Ok(Place::new(setting, within(setting, place, file)?, patience)),
        };
        let pair = Pair { from: place("--from", &self.from, from)?, to: place("--to", &self.to, to)? };
        if pair.from.url == pair.to.url {
            return Err(pair.to.wrong("this is where it is already"));
        }
        Ok(pair)
    }
}

/// A store in a folder or in a database.
fn within(setting: &'static str, place: &GivenUrl, file: &str) -> Result<StoreUrl, ConfigError> {
    let folder = match place.text().split_once("://") {
        None => place.text(),
        Some(("sqlite", folder)) => folder,
        Some(_) => return Ok(place.place(setting, Duration::ZERO)?.url),
    };
    let folder = Path::new(folder);
    if folder.as_os_str().is_empty() || folder.is_file() || folder.extension().is_some_and(|extension| extension == "db") {
        let expected = "expected a folder, for log.db, keys.db and identity.db, or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        return Err(ConfigError::new(setting, expected));
    }
    // The mark of a move names it, wherever it is gone on with.
    let folder = std::path::absolute(folder).map_err(|error| ConfigError::new(setting, error.to_string()))?;
    Ok(StoreUrl::file(folder.join(file)))
}
