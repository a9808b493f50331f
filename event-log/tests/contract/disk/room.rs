//! A file system with little room.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use tempfile::TempDir;

/// Unmounted when it is dropped.
pub struct Room(TempDir);

impl Room {
    /// `None`: nobody may mount here, which is told loudly.
    pub fn of_megabytes(size: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        // The server's user is another one.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}m,mode=755"), "tizza-test"]).arg(folder.path()).output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        writeln!(io::stderr(), "\nSKIPPED: a full disk (mount -t tmpfs, which needs root): {mounted:?}").unwrap();
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it but for so many bytes.
    pub fn leave(&self, bytes: u64) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let full = io::copy(&mut io::repeat(0), &mut ballast).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        let size = ballast.metadata().unwrap().len();
        ballast.set_len(size.saturating_sub(bytes)).unwrap();
    }

    pub fn clear(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps it until they are done.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
