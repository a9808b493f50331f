//! The next release, as if: built from the same sources with the feature `next`, in which an event has changed.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The program. It is built when it is asked for first, beside ours and from the same dependencies.
pub fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_tizza")).parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        // What the cargo that has started us told us is not for this one.
        let ours = env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("CARGO_"));
        ours.filter(|name| name != "CARGO_HOME").for_each(|name| _ = cargo.env_remove(name));
        cargo.args(["build", "--locked", "--workspace", "--bin", "tizza-next", "--features", "tizza/next", "--target-dir"]);
        cargo.arg(folder.parent().unwrap()).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder.join("tizza-next")
    })
}
