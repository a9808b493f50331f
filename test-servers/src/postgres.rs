//! A throw-away cluster of Postgres on this machine.

use std::{
    env,
    fs::{self, Permissions},
    io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::{
    Missing, binaries,
    certificates::Pair,
    launch,
    process::{self, Folder, Guarded, Habits, NOBODY},
    wire,
};

/// A postmaster takes its sessions along when it is told to QUIT.
const HABITS: Habits = Habits { end: "QUIT", refuses_root: true };

/// Of every cluster: only this machine gets in.
const LOCAL: [(&str, &str); 2] = [("listen_addresses", "127.0.0.1"), ("unix_socket_directories", "")];
/// Of one without `fsync`: as fast as it gets, and enough connections for tests side by side.
const FAST: [(&str, &str); 5] =
    [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off"), ("max_connections", "300"), ("shared_buffers", "64MB")];

/// What a cluster is like. The default is fast: its last commits are lost when the server is killed, and anything in a power cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Postgres's own settings, as one would deploy it: a commit waits for the disk.
    pub fsync: bool,
    /// Where to make the cluster's folder; a folder for temporary files if not told.
    pub folder: Option<&'a Path>,
    /// Names and values, as in `postgresql.conf`; they win over all others.
    pub settings: &'a [(&'a str, &'a str)],
}

/// A cluster with a server, on a free port of 127.0.0.1. When it is dropped, or our process ends however it does, the server
/// ends at once and its folder is removed.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    arguments: Vec<String>,
    port: u16,
    pid: u32,
    // Dropped in this order.
    server: Option<Guarded>,
    folder: Folder,
}

impl Postgres {
    /// Makes a cluster and starts its server: about a second.
    ///
    /// # Errors
    /// There is no Postgres.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(options: Options<'_>) -> Result<Self, &'static Missing> {
        let bin = binaries::find()?;
        Ok(Self::make(bin, options).unwrap_or_else(|e| panic!("Postgres of {} does not start: {e}", bin.display())))
    }

    fn make(bin: &Path, options: Options<'_>) -> io::Result<Self> {
        let folder = Folder::new(parent_folder(options.folder)?.join(process::unique("tizza_postgres")))?;
        let fast: &[_] = if options.fsync { &[] } else { &FAST };
        let settings = LOCAL.iter().chain(fast).chain(options.settings);
        let arguments = settings.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect();
        let bin = binaries::within_reach(bin, &folder.path)?;
        if process::root() {
            process::run(Command::new("chown").args(["-R", &format!("{NOBODY}:{NOBODY}")]).arg(&folder.path))?;
        }
        let mut cluster = Self { bin, arguments, port: 0, pid: 0, server: None, folder };
        cluster.initialise()?;
        cluster.launch_within_limit(launch::free_port)?;
        Ok(cluster)
    }

    fn initialise(&self) -> io::Result<()> {
        // `--no-clean`: when it is interrupted, the servers that it runs still need the data to end in peace.
        let settings = ["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-clean"];
        let status =
            Guarded::start(&[&[self.program("initdb")], settings.map(str::to_owned).as_slice()].concat(), &self.folder, HABITS)?.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("initdb: {status}: {}", launch::log(&self.folder)))) }
    }

    fn program(&self, name: &str) -> String {
        self.bin.join(name).display().to_string()
    }

    /// The URL of a new, empty database with a name of its own.
    ///
    /// # Panics
    /// The server does not answer.
    pub fn new_database(&self) -> String {
        let name = process::unique("test");
        wire::execute(self.port, "postgres", &format!("create database {name}"))
            .unwrap_or_else(|e| panic!("no database can be made on port {}: {e}", self.port));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Where the server listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The postmaster's process; the last one's while the server is down.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The cluster's data.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path.join("data")
    }

    /// Shows a certificate to whom it speaks TLS: those who come after it was told, and after [`signal`](Self::signal)`("HUP")`.
    ///
    /// # Panics
    /// Its folder is gone.
    pub fn shows(&self, pair: &Pair) {
        // Where its settings look for them; a key that others may read is refused.
        pair.write(&self.data_dir(), "server");
        let key = self.data_dir().join("server.key");
        let owned = fs::set_permissions(&key, Permissions::from_mode(0o600));
        let owned = owned.and_then(|()| if process::root() { chown(&key, Some(NOBODY), Some(NOBODY)) } else { Ok(()) });
        owned.unwrap_or_else(|e| panic!("{} cannot be given to the server: {e}", key.display()));
    }

    /// The folder of the programs: `psql`, `pgbench`, ….
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Sends the postmaster a signal: `KILL`, `STOP`, `CONT`, `QUIT`, …. What it does to sessions comes in its own time: they
    /// live on while the postmaster is stopped, and for a moment after it was killed.
    ///
    /// # Panics
    /// The server is down.
    pub fn signal(&self, name: &str) {
        let server = self.server.as_ref().expect("the server is down");
        server.signal(name).unwrap_or_else(|e| panic!("{name} does not reach the server: {e}"));
    }

    /// Ends the server at once, as a crash would, with all sessions, and waits until it has. Its data stays.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts the server again, on the same port, with the same data; ends it first if it is up. Returns when it takes sessions.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        self.stop();
        let port = self.port;
        self.launch_within_limit(|| Ok(port)).unwrap_or_else(|e| panic!("Postgres does not start again on port {port}: {e}"));
    }

    fn launch_within_limit(&mut self, port: impl Fn() -> io::Result<u16>) -> io::Result<()> {
        launch::within_limit(|deadline| {
            self.port = port()?;
            self.launch(deadline)
        })
    }

    fn launch(&mut self, deadline: Instant) -> io::Result<()> {
        let program = [self.program("postgres"), "-D".into(), "data".into(), "-p".into(), self.port.to_string()];
        let server = Guarded::start(&[&program, self.arguments.as_slice()].concat(), &self.folder, HABITS)?;
        self.pid = server.pid;
        self.server = Some(launch::answering(server, &self.folder, deadline, || self.takes_sessions())?);
        Ok(())
    }

    /// It is there as long as the server is, and longer when the server was killed.
    fn lock_file(&self) -> PathBuf {
        self.data_dir().join("postmaster.pid")
    }

    /// The port alone does not tell: it may be another cluster's, and in recovery it is open before sessions are let in. The
    /// eighth line of `postmaster.pid` is what `pg_ctl --wait` looks at; a stale file may bear our number, hence the question.
    fn takes_sessions(&self) -> bool {
        let status = fs::read_to_string(self.lock_file()).unwrap_or_default();
        let mut lines = status.lines().map(str::trim);
        lines.next() == Some(self.pid.to_string().as_str())
            && lines.nth(6) == Some("ready")
            && wire::execute(self.port, "postgres", "select 1").is_ok()
    }
}

impl Drop for Postgres {
    /// The shared memory of a killed server stays with the system; the next one on the same data frees it.
    fn drop(&mut self) {
        self.stop();
        if self.lock_file().exists() {
            let port = self.port;
            self.launch_within_limit(|| Ok(port)).ok();
        }
    }
}

/// The folder of `initdb` and `postgres`, for who starts them himself. Where the server's user cannot look into it, it is copied into a
/// folder, which that user can.
///
/// # Errors
/// There is no Postgres.
///
/// # Panics
/// It cannot be copied.
pub fn programs(folder: &Path) -> Result<PathBuf, &'static Missing> {
    let bin = binaries::find()?;
    Ok(binaries::within_reach(bin, folder).unwrap_or_else(|e| panic!("{} cannot be copied: {e}", bin.display())))
}

/// The folder that was told, or the first one for temporary files, that the server's user may look into.
///
/// # Errors
/// There is none.
pub fn parent_folder(told: Option<&Path>) -> io::Result<PathBuf> {
    let candidates = told.map_or_else(|| vec![env::temp_dir(), "/tmp".into(), "/var/tmp".into()], |told| vec![told.to_owned()]);
    let parent = candidates.iter().find(|folder| process::searchable(folder));
    parent.ok_or_else(|| io::Error::other(format!("uid {NOBODY} cannot look into {candidates:?}")))?.canonicalize()
}
