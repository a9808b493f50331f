//! The README's "Follow one like", line by line: what it says is what happens.

use std::{ffi::OsStr, io::Write, path::Path, process::Command};

use crate::{home::Home, server::Server};

/// A line to paste, and what its output must contain.
struct Line {
    command: String,
    expected: Option<String>,
}

fn lines() -> Vec<Line> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let section = readme.split("## Follow one like").nth(1).expect("the section");
    let block = section.split("```bash\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the lines to paste");
    let mut lines: Vec<Line> = vec![];
    for text in block.lines().filter(|line| !line.trim().is_empty()) {
        match text.strip_prefix("# → ") {
            Some(expected) => lines.last_mut().unwrap().expected = Some(expected.into()),
            None if text.starts_with('#') => {}
            None => lines.push(Line { command: text.into(), expected: None }),
        }
    }
    lines
}

/// Whether there is a curl that can do it; `%header{…}` came with 7.84. Says so if not.
pub fn has_curl() -> bool {
    let told = Command::new("curl").arg("--version").output().map(|told| told.stdout).unwrap_or_default();
    let told = String::from_utf8_lossy(&told).into_owned();
    let mut version = told.split_whitespace().nth(1).unwrap_or_default().split('.').map(|part| part.parse().unwrap_or(0));
    let fits = (version.next().unwrap_or(0), version.next().unwrap_or(0)) >= (7, 84);
    if !fits {
        // Not `eprintln!`: what a passing test prints is not shown.
        let told = "SKIPPED the README's tour: it needs curl 7.84 or newer (apt-get install curl)\n";
        std::io::stderr().write_all(told.as_bytes()).unwrap();
    }
    fits
}

#[test]
fn the_tour_of_the_readme_is_true() {
    tour(&Home::in_files());
}

#[test]
fn the_tour_of_the_readme_is_true_with_postgres() {
    if let Some(home) = Home::in_postgres() {
        tour(&home);
    }
}

fn tour(home: &Home) {
    if has_curl() {
        walk(&Server::start_in(home).url, home.settings());
    }
}

/// Pastes the lines, with another address; the program is told where the stores are.
pub fn walk<K: AsRef<OsStr>>(url: &str, settings: Vec<(K, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let lines = lines();
    assert!(lines.len() >= 10 && lines.iter().filter(|line| line.expected.is_some()).count() >= 6);

    let mut script = String::from("set -eu\n");
    for line in &lines {
        let here = line.command.replace("http://127.0.0.1:8080", url).replace("cargo run -q --", env!("CARGO_BIN_EXE_tizza"));
        script += &format!("{here}\nprintf '\\n@@\\n'\n");
    }
    let ran = Command::new("bash").arg("-c").arg(&script).current_dir(folder.path()).envs(settings).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{stdout}\n{stderr}");
    for (line, output) in lines.iter().zip(stdout.split("\n@@\n")) {
        for expected in line.expected.iter().flat_map(|expected| expected.split(" … ")) {
            assert!(output.contains(expected), "{}\nexpected: {expected}\nprinted: {output}", line.command);
        }
    }
}
