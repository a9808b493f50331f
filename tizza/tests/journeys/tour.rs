//! The README's "Follow one like", line by line: what it says is what happens.

use std::{path::Path, process::Command};

use crate::server::Server;

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

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme_is_true() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let lines = lines();
    assert!(lines.len() >= 10 && lines.iter().filter(|line| line.expected.is_some()).count() >= 6);

    let mut script = String::from("set -eu\n");
    for line in &lines {
        let here = line.command.replace("http://127.0.0.1:8080", &server.url).replace("cargo run -q --", env!("CARGO_BIN_EXE_tizza"));
        script += &format!("{here}\nprintf '\\n@@\\n'\n");
    }
    let ran = Command::new("bash").arg("-c").arg(&script).current_dir(folder.path()).env("DATA_DIR", &server.data_dir).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{stdout}\n{stderr}");
    for (line, output) in lines.iter().zip(stdout.split("\n@@\n")) {
        for expected in line.expected.iter().flat_map(|expected| expected.split(" … ")) {
            assert!(output.contains(expected), "{}\nexpected: {expected}\nprinted: {output}", line.command);
        }
    }
}
