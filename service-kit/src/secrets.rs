//! The server's keys. Each comes from an environment variable, from the file that `…_FILE` names, or from `DATA_DIR/secrets`,
//! where it is made at the first start. One that is missing beside data that it protects is never made anew.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::config::ConfigError;

/// The server's keys. There is no way to print them.
#[derive(Clone)]
pub struct Secrets {
    /// Seal session cookies; the first seals, all open.
    pub cookie_keys: Vec<[u8; 32]>,
    /// Hides unique names in the log.
    pub claim_key: [u8; 32],
}

impl Secrets {
    /// Finds the keys, or makes them when `is_new` says that there is nothing yet that they protect.
    ///
    /// # Errors
    /// A key is missing, unreadable or not 32 bytes in base64.
    pub fn load(data_dir: &Path, is_new: bool) -> Result<Self, ConfigError> {
        Ok(Self {
            cookie_keys: find("COOKIE_KEYS", data_dir, is_new)?,
            claim_key: match find("CLAIM_KEY", data_dir, is_new)?[..] {
                [key] => key,
                _ => return Err(ConfigError::new("CLAIM_KEY", "there must be exactly one key")),
            },
        })
    }
}

/// One key a line.
fn find(name: &'static str, data_dir: &Path, is_new: bool) -> Result<Vec<[u8; 32]>, ConfigError> {
    if let Ok(text) = std::env::var(name) {
        return parse(name, &text);
    }
    let unreadable = |setting, path: &Path, e: std::io::Error| ConfigError::new(setting, format!("{} cannot be read: {e}", path.display()));
    if let Ok(path) = std::env::var(format!("{name}_FILE")) {
        let path = Path::new(&path);
        return parse(name, &fs::read_to_string(path).map_err(|e| unreadable(name, path, e))?);
    }
    let path = data_dir.join("secrets").join(name.to_lowercase());
    match fs::read_to_string(&path) {
        Ok(text) => parse(name, &text),
        Err(e) if e.kind() == ErrorKind::NotFound && is_new => make(name, &path),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(ConfigError::new(
            name,
            format!("the key is missing ({} is gone) beside data that needs it; bring it back, or set {name}", path.display()),
        )),
        Err(e) => Err(unreadable("DATA_DIR", &path, e)),
    }
}

fn parse(name: &'static str, text: &str) -> Result<Vec<[u8; 32]>, ConfigError> {
    let bad = || ConfigError::new(name, "expected 32 bytes in base64 (one key a line)");
    let keys = text.split_whitespace().map(|line| BASE64_STANDARD.decode(line).ok()?.try_into().ok());
    let keys: Vec<_> = keys.collect::<Option<_>>().ok_or_else(bad)?;
    if keys.is_empty() { Err(bad()) } else { Ok(keys) }
}

/// Written beside and linked into place, so that of two starting programs one makes the key and both use it.
fn make(name: &'static str, path: &Path) -> Result<Vec<[u8; 32]>, ConfigError> {
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
        let made = Secrets::load(folder.path(), true).unwrap_or_else(|e| panic!("{e}"));
        let again = Secrets::load(folder.path(), false).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((made.claim_key, made.cookie_keys), (again.claim_key, again.cookie_keys));
        let mode = fs::metadata(folder.path().join("secrets/claim_key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_is_missing_beside_data_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Secrets::load(folder.path(), false).err().unwrap();
        assert_eq!(refused.setting, "COOKIE_KEYS");
        assert!(!folder.path().join("secrets").exists());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(parse("CLAIM_KEY", "short").is_err());
        assert!(parse("CLAIM_KEY", "").is_err());
        assert_eq!(parse("CLAIM_KEY", &BASE64_STANDARD.encode([7; 32])).unwrap(), [[7; 32]]);
    }
}
