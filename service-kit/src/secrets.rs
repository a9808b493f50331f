//! The server's keys. Each comes from an environment variable, from the file that `…_FILE` names, or from `DATA_DIR/secrets`,
//! where it is made at the first start. One that is missing beside data that needs it is never made anew.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::config::ConfigError;

/// A key.
pub type Key = [u8; 32];

/// Where the keys are. A program asks for those that it needs.
#[derive(Clone, Debug)]
pub struct Secrets {
    folder: PathBuf,
    is_new: bool,
}

impl Secrets {
    /// Those of a data folder; `is_new` says that there is nothing yet that needs them, so that a missing one is made.
    #[must_use]
    pub fn new(data_dir: &Path, is_new: bool) -> Self {
        Self { folder: data_dir.join("secrets"), is_new }
    }

    /// Whether there is nothing yet that needs them.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Seal session cookies: the first seals, all open.
    ///
    /// # Errors
    /// They are missing, unreadable or not 32 bytes in base64 each.
    pub fn cookie_keys(&self) -> Result<Vec<Key>, ConfigError> {
        self.find("COOKIE_KEYS")
    }

    /// Hides unique names in the log.
    ///
    /// # Errors
    /// It is missing, unreadable or not 32 bytes in base64.
    pub fn claim_key(&self) -> Result<Key, ConfigError> {
        match self.find("CLAIM_KEY")?[..] {
            [key] => Ok(key),
            _ => Err(ConfigError::new("CLAIM_KEY", "there must be exactly one key")),
        }
    }

    /// Seal the keys of persons: the first seals, all open.
    ///
    /// # Errors
    /// They are missing, unreadable or not 32 bytes in base64 each.
    pub fn key_encryption_keys(&self) -> Result<Vec<Key>, ConfigError> {
        self.find("KEY_ENCRYPTION_KEYS")
    }

    /// One key a line.
    fn find(&self, name: &'static str) -> Result<Vec<Key>, ConfigError> {
        if let Ok(text) = std::env::var(name) {
            return parse(name, &text);
        }
        let unreadable = |path: &Path, e: std::io::Error| ConfigError::new(name, format!("{} cannot be read: {e}", path.display()));
        if let Ok(path) = std::env::var(format!("{name}_FILE")) {
            let path = Path::new(&path);
            return parse(name, &fs::read_to_string(path).map_err(|e| unreadable(path, e))?);
        }
        let path = self.folder.join(name.to_lowercase());
        match fs::read_to_string(&path) {
            Ok(text) => parse(name, &text),
            Err(e) if e.kind() == ErrorKind::NotFound && self.is_new => make(name, &path),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(missing(name, &path)),
            Err(e) => Err(unreadable(&path, e)),
        }
    }
}

fn missing(name: &'static str, path: &Path) -> ConfigError {
    let path = path.display();
    ConfigError::new(
        name,
        format!("it is missing beside data that needs it: bring {path} back, or set {name} or {name}_FILE to what it was"),
    )
}

fn parse(name: &'static str, text: &str) -> Result<Vec<Key>, ConfigError> {
    let bad = || ConfigError::new(name, "expected 32 bytes in base64 (one key a line)");
    let keys = text.split_whitespace().map(|line| BASE64_STANDARD.decode(line).ok()?.try_into().ok());
    let keys: Vec<_> = keys.collect::<Option<_>>().ok_or_else(bad)?;
    if keys.is_empty() { Err(bad()) } else { Ok(keys) }
}

/// Written beside and linked into place, so that of two starting programs one makes the key and both use it.
fn make(name: &'static str, path: &Path) -> Result<Vec<Key>, ConfigError> {
    let failed = |e: std::io::Error| ConfigError::new("DATA_DIR", format!("{} cannot be made: {e}", path.display()));
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|e| failed(e.into()))?;
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let part = path.with_extension(uuid::Uuid::now_v7().simple().to_string());
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(failed)?;
    writeln!(file, "{}", BASE64_STANDARD.encode(key)).and_then(|()| file.sync_all()).map_err(failed)?;
    let linked = fs::hard_link(&part, path);
    fs::remove_file(&part).map_err(failed)?;
    match linked {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(failed(e)),
        _ => parse(name, &fs::read_to_string(path).map_err(failed)?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_readable_for_the_owner_only_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let all = |secrets: Secrets| (secrets.claim_key().unwrap(), secrets.cookie_keys().unwrap(), secrets.key_encryption_keys().unwrap());
        let made = all(Secrets::new(folder.path(), true));
        assert_eq!(all(Secrets::new(folder.path(), false)), made);
        assert!(made.1 != made.2 && made.1 != [made.0]);
        let mode = fs::metadata(folder.path().join("secrets/claim_key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn of_many_who_make_a_key_at_once_all_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::new(folder.path(), true);
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| secrets.claim_key().unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(fs::read_dir(folder.path().join("secrets")).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_key_that_is_missing_beside_data_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Secrets::new(folder.path(), false).cookie_keys().unwrap_err();
        assert_eq!(refused.setting, "COOKIE_KEYS");
        assert!(refused.problem.contains("secrets/cookie_keys") && refused.problem.contains("COOKIE_KEYS_FILE"), "{refused}");
        assert!(!folder.path().join("secrets").exists());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(parse("CLAIM_KEY", "short").is_err());
        assert!(parse("CLAIM_KEY", "").is_err());
        assert_eq!(parse("CLAIM_KEY", &BASE64_STANDARD.encode([7; 32])).unwrap(), [[7; 32]]);
    }
}
