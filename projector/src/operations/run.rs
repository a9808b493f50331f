//! `DATA_DIR/run`: where operations are offered on this machine, and the token that they ask for, if it was made for this run: one that was set
//! stays where it was set. Only its owner can read the file.

use std::{
    fs, io,
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use axum::Router;
use serde::{Deserialize, Serialize};
use service_kit::config::{Access, AdminToken};
use uuid::Uuid;

use super::{Operations, http};

/// What a process that offers operations says of itself.
#[derive(Clone, Serialize, Deserialize)]
pub struct Run {
    /// Where its admin listener is.
    pub admin_url: String,
    /// What to show there; `None`: what was set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
    /// Its number.
    pub pid: u32,
    /// What it is.
    pub role: String,
}

impl Run {
    /// What is said in a data folder.
    ///
    /// # Errors
    /// Nothing is, or it cannot be read.
    pub fn read(data_dir: &Path) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(place(data_dir))?).map_err(Into::into)
    }
}

fn place(data_dir: &Path) -> PathBuf {
    data_dir.join("run")
}

/// Operations, as a process offers them.
pub struct Offered {
    /// The routes of the admin listener.
    pub routes: Router,
    /// As long as this is kept, this machine's commands find the process.
    pub run: Option<Written>,
}

impl Offered {
    /// Operations on an admin listener.
    #[must_use]
    pub fn new(operations: Operations, access: Access, data_dir: &Path, admin: SocketAddr, role: &str) -> Self {
        let run = match &access {
            Access::Set(_) => Some(Written::new(data_dir, admin, None, role)),
            Access::Made(token) => Some(Written::new(data_dir, admin, Some(token), role)),
            Access::Closed => None,
        };
        Self { routes: http::router(operations, access), run }
    }
}

/// The file of this process, as long as it offers operations.
#[derive(Debug)]
pub struct Written(Option<PathBuf>);

impl Written {
    /// Writes it. Where that is not possible operations are offered all the same, to those who know where and by which token.
    #[must_use]
    pub fn new(data_dir: &Path, admin: SocketAddr, token: Option<&AdminToken>, role: &str) -> Self {
        let admin = if admin.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], admin.port())) } else { admin };
        let token = token.map(|token| token.secret().to_owned());
        let run = Run { admin_url: format!("http://{admin}"), token, pid: std::process::id(), role: role.to_owned() };
        let path = place(data_dir);
        match write(&path, &run) {
            Ok(()) => Self(Some(path)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "operators' commands find this process only by ADMIN_URL and ADMIN_TOKEN");
                Self(None)
            }
        }
    }
}

/// Beside, then moved: nobody reads half of it, and nobody else a whole one.
fn write(path: &Path, run: &Run) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let part = path.with_extension(Uuid::now_v7().simple().to_string());
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    let written = serde_json::to_writer(&file, run).map_err(io::Error::from).and_then(|()| writeln!(file));
    written.and_then(|()| fs::rename(&part, path)).inspect_err(|_| drop(fs::remove_file(&part)))
}

/// Unless another process has written its own since.
impl Drop for Written {
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        let is_own = path.parent().is_some_and(|folder| Run::read(folder).is_ok_and(|run| run.pid == std::process::id()));
        if is_own && let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "it cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn token() -> AdminToken {
        AdminToken::parse("ADMIN_TOKEN", "quattro-formaggi".into()).unwrap()
    }

    #[test]
    fn it_is_for_its_owner_only_and_gone_when_the_process_ends() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let written = Written::new(&data_dir, "0.0.0.0:8093".parse().unwrap(), Some(&token()), "projector");
        let run = Run::read(&data_dir).unwrap();
        assert_eq!(
            (run.admin_url.as_str(), run.token.as_deref(), run.role.as_str()),
            ("http://127.0.0.1:8093", Some("quattro-formaggi"), "projector")
        );
        assert_eq!(fs::metadata(place(&data_dir)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1, "nothing is left beside it");
        drop(written);
        assert_eq!(Run::read(&data_dir).map(|run| run.pid).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn that_of_another_process_stays() {
        let folder = tempfile::tempdir().unwrap();
        let written = Written::new(folder.path(), "127.0.0.1:8093".parse().unwrap(), None, "projector");
        assert!(!fs::read_to_string(place(folder.path())).unwrap().contains("token"), "one that was set stays where it was set");
        let other = Run { pid: std::process::id() + 1, ..Run::read(folder.path()).unwrap() };
        write(&place(folder.path()), &other).unwrap();
        drop(written);
        assert_eq!(Run::read(folder.path()).unwrap().pid, other.pid);
    }

    #[test]
    fn where_nothing_can_be_written_there_is_none() {
        let written = Written::new(Path::new("/proc/tizza"), "127.0.0.1:1".parse().unwrap(), Some(&token()), "projector");
        assert!(written.0.is_none());
    }
}
