//! Programs that are run to their end, and servers and folders that end with us.

use std::{
    ffi::OsStr,
    fs,
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, BufReader},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, MetadataExt},
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

/// `nobody`. Postgres refuses root, so what root starts runs as this user.
pub const NOBODY: u32 = 65534;

/// Whether we are root.
pub fn root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Whether the server's user may look into a folder. Only root has servers that run as somebody else.
pub fn searchable(folder: &Path) -> bool {
    let open = |f: &Path| f.metadata().is_ok_and(|m| m.mode() & 0o001 != 0);
    !root() || folder.canonicalize().is_ok_and(|f| f.ancestors().all(open))
}

/// Runs a program to its end.
///
/// # Errors
/// It is not there, or fails: then with what it said.
pub fn run(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|e| io::Error::new(e.kind(), format!("{program}: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    // Not every program complains on standard error.
    let said = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
    Err(io::Error::other(format!("{program}: {}: {}", output.status, said.trim())))
}

/// A number by chance, from the seeds of std's hash maps.
pub fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// A name that nobody else has.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}_{:016x}", random())
}

/// Ends the server when its standard input closes: whatever becomes of us, the system closes that pipe.
/// (`PR_SET_PDEATHSIG` will not do: it comes when the *thread* that started the server ends, and each test has its own.)
///
/// - The pipe is kept as 3, since a shell gives background jobs `/dev/null` as 0.
/// - Background jobs ignore QUIT until the server has handlers of its own: hence again and again. CONT: it may be stopped.
/// - 4 is for the [`Folder`]: it stays open as long as anything that the server has started lives.
const GUARD: &str = r#"
    exec 3<&0 4>&2 2>>log
    end=$1; shift
    "$@" </dev/null >log 2>&1 3<&- & server=$!
    echo $server
    (read -r _ <&3; while kill -$end $server; do kill -CONT $server; sleep 1; done) >/dev/null 4>&- & watcher=$!
    wait $server; status=$?
    kill $watcher
    exit $status
"#;

/// What a server asks of who starts it.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// The signal that ends it at once, by the name that `kill` knows.
    pub end: &'static str,
    /// Whether it runs as [`NOBODY`] if we are root.
    pub refuses_root: bool,
}

/// A server, or what prepares one. Dropped, it is ended at once.
#[derive(Debug)]
pub struct Guarded {
    /// Waiting for it closes its standard input first.
    guard: Child,
    /// The server's.
    pub pid: u32,
}

impl Guarded {
    /// Starts a program with its arguments, in a folder. It writes `log` there.
    ///
    /// # Errors
    /// There is no shell, or the server's user cannot write into the folder.
    pub fn start(server: &[String], folder: &Folder, habits: Habits) -> io::Result<Self> {
        let mut sh = shell(GUARD, [&[habits.end.to_owned()], server].concat());
        sh.current_dir(&folder.path).stdout(Stdio::piped()).stderr(folder.tenancy()?);
        if habits.refuses_root && root() {
            sh.uid(NOBODY).gid(NOBODY);
        }
        let mut guard = sh.spawn()?;
        let mut pid = String::new();
        BufReader::new(guard.stdout.take().expect("it was asked for")).read_line(&mut pid)?;
        let pid = pid.trim().parse().map_err(|_| io::Error::other(format!("nothing can be started in {}", folder.path.display())))?;
        Ok(Self { guard, pid })
    }

    /// Sends the server a signal, by the name that `kill` knows.
    ///
    /// # Errors
    /// The server is gone.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        run(Command::new("/bin/sh").args(["-c", "kill -\"$1\" \"$2\"", "kill", name, &self.pid.to_string()]))
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.guard.try_wait()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// The system does not say how it ended.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        let _open = self.guard.stdin.take();
        self.guard.wait()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.guard.wait().ok();
    }
}

/// Removes a folder when its standard input closes: when we are gone, and all that lives in the folder. A server that loses its
/// files aborts, and leaves its shared memory behind.
const REMOVER: &str = r#"while read -r _; do :; done; rm -rf "$1""#;

/// A folder that goes when it is dropped, or when our process ends. It waits for the servers in it.
#[derive(Debug)]
pub struct Folder {
    pub path: PathBuf,
    /// Waiting for it closes its standard input first.
    remover: Child,
}

impl Folder {
    /// Makes a folder that only we may look into.
    ///
    /// # Errors
    /// There is no shell, or we cannot write into the parent.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        let remover = shell(REMOVER, [&path]).current_dir("/").spawn()?;
        let folder = Self { path, remover };
        fs::DirBuilder::new().mode(0o700).create(&folder.path)?;
        Ok(folder)
    }

    /// As long as somebody has this open, the folder stays.
    fn tenancy(&self) -> io::Result<OwnedFd> {
        self.remover.stdin.as_ref().expect("it was asked for").as_fd().try_clone_to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remover.wait().ok();
    }
}

/// A shell that learns of our end from its standard input. It has a group of its own: an interrupt from the terminal ends us, and
/// only that ends the others. It has nothing of ours open: who reads our output waits for us alone.
fn shell<A: AsRef<OsStr>>(script: &str, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", script, "sh"]).args(arguments).process_group(0);
    sh.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    sh
}
