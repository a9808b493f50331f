//! nginx, as it is installed. It is not fetched: no registry has it.

use std::{
    env,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::Missing;

/// And how to get it.
const WANTED: &str = "nginx (apt-get install nginx-light)";
/// Debian has it here, and not in everybody's path.
const INSTALLED: &str = "/usr/sbin";

/// The program; looked for once in this process.
///
/// # Errors
/// There is no nginx.
pub fn find() -> Result<&'static Path, &'static Missing> {
    static FOUND: OnceLock<Result<PathBuf, Missing>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut programs = env::split_paths(&path).chain([INSTALLED.into()]).map(|folder| folder.join("nginx"));
        programs.find(|program| program.is_file()).ok_or_else(|| Missing::tell(WANTED, "none is installed"))
    });
    found.as_ref().map(PathBuf::as_path)
}
