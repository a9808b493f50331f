//! A folder with little room: a file system of its own, or, where nobody may mount, a limit on the size of files.

use std::{
    env,
    fs::{self, File, Permissions},
    io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Set in a process of our own that has nothing to do but to run into its limits.
const LIMITED: &str = "TIZZA_TEST_LIMITED";

/// Unmounted when it is dropped.
pub struct Room {
    folder: TempDir,
    mounted: bool,
}

impl Room {
    pub fn of_megabytes(size: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server's user is another one.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}m,mode=755"), "tizza-test"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        Self { folder, mounted }
    }

    /// Whether our own process can be given little room: if not, the test named here has been run in another one that can.
    pub fn is_ours(&self, test: &str) -> bool {
        if self.mounted || env::var_os(LIMITED).is_some() {
            return true;
        }
        // Whoever ignores the signal gets an error instead.
        let mut other = Command::new("/bin/sh");
        other.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(env::current_exe().unwrap()).args(["--exact", test]).env(LIMITED, "1");
        let output = other.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        false
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it but for so many bytes. `processes` are those who write there: their files grow only by so much.
    pub fn leave(&self, bytes: u64, processes: &[String]) {
        if !self.mounted {
            let sizes = fs::read_dir(self.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
            return limit(processes, &(sizes.max().unwrap_or(0) + bytes).to_string());
        }
        let mut ballast = File::create(self.ballast()).unwrap();
        let full = io::copy(&mut io::repeat(0), &mut ballast).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        let size = ballast.metadata().unwrap().len();
        ballast.set_len(size.saturating_sub(bytes)).unwrap();
    }

    pub fn clear(&self, processes: &[String]) {
        if self.mounted { fs::remove_file(self.ballast()).unwrap() } else { limit(processes, "unlimited") }
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

/// Whoever sets a process's limits is its own user.
fn limit(processes: &[String], bytes: &str) {
    for process in processes {
        let place = Path::new("/proc").join(process);
        let Ok(user) = place.metadata() else { continue };
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", process, &format!("--fsize={bytes}:")]).uid(user.uid()).gid(user.gid());
        let limited = prlimit.output().unwrap();
        assert!(limited.status.success() || !place.exists(), "{limited:?}");
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: whoever still has a file open there keeps it until they are done.
            let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
            assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
        }
    }
}
