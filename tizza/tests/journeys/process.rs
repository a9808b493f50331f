//! A program that runs beside a test, and what it says.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
};

use serde_json::Value;

use crate::client::DEADLINE;

/// A child process; killed when it is dropped.
pub struct Process {
    child: Child,
    said: Arc<Said>,
}

#[derive(Debug, Default)]
struct Lines {
    out: Vec<String>,
    err: Vec<String>,
    /// How many of the two may say more.
    open: usize,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Lines>,
    more: Condvar,
}

impl Process {
    /// Starts a program.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Said::default());
        said.hear(child.stdout.take().unwrap(), |lines| &mut lines.out);
        said.hear(child.stderr.take().unwrap(), |lines| &mut lines.err);
        Self { child, said }
    }

    /// The first log line with this message, as soon as it is there.
    pub fn says(&mut self, message: &str) -> Value {
        self.first(|line| line["message"] == message).unwrap_or_else(|lines| panic!("it does not say {message:?}, but {lines}"))
    }

    /// The first log line in which a field has this text, as soon as it is there.
    pub fn tells(&mut self, field: &str, text: &str) -> Value {
        let has = |line: &Value| line[field].as_str().is_some_and(|value| value.contains(text));
        self.first(has).unwrap_or_else(|lines| panic!("no {field} with {text:?}, but {lines}"))
    }

    fn first(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let line = |lines: &Lines| lines.out.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| wanted(line));
        let lines = self.said.lines.lock().unwrap();
        let (lines, _) = self.said.more.wait_timeout_while(lines, DEADLINE, |lines| lines.open > 0 && line(lines).is_none()).unwrap();
        line(&lines).ok_or_else(|| format!("{lines:?}"))
    }

    /// Every log line so far.
    pub fn logged(&self) -> Vec<Value> {
        self.said.lines.lock().unwrap().out.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// How it ended: after a signal, or by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let lines = self.said.lines.lock().unwrap();
        let (lines, late) = self.said.more.wait_timeout_while(lines, DEADLINE, |lines| lines.open > 0).unwrap();
        assert!(!late.timed_out(), "it goes on: {lines:?}");
        drop(lines);
        self.child.wait().unwrap()
    }

    /// All that it said, when it has ended: on standard output, and on standard error.
    pub fn told(&self) -> (String, String) {
        let lines = self.said.lines.lock().unwrap();
        (lines.out.join("\n"), lines.err.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    fn hear(self: &Arc<Self>, from: impl Read + Send + 'static, into: fn(&mut Lines) -> &mut Vec<String>) {
        let said = Arc::clone(self);
        said.lines.lock().unwrap().open += 1;
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                into(&mut said.lines.lock().unwrap()).push(line);
                said.more.notify_all();
            }
            said.lines.lock().unwrap().open -= 1;
            said.more.notify_all();
        });
    }
}
