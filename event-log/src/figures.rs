//! What is counted while the log is used, for operators. Handles are made when what they count begins; without a recorder they do nothing.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

use crate::{AppendError, Outcome};

/// Looks into a cache, and whether it had what was looked for.
#[derive(Clone, Debug)]
pub struct Looks {
    hits: Counter,
    misses: Counter,
}

impl Looks {
    /// Into a cache of this name.
    #[must_use]
    pub fn into(cache: &'static str) -> Self {
        let counted = |result: &'static str| counter!("tizza_cache_requests_total", "cache" => cache, "result" => result);
        Self { hits: counted("hit"), misses: counted("miss") }
    }

    /// Counts one, and hands on what was found.
    pub fn found<T>(&self, found: Option<T>) -> Option<T> {
        if found.is_some() {
            self.hits.increment(1)
        } else {
            self.misses.increment(1)
        }
        found
    }
}

/// What becomes of commands.
const OUTCOMES: [&str; 7] = ["appended", "repeated", "rejected", "lost", "refused", "failed", "overloaded"];

/// What became of a command, in a word.
#[must_use]
pub const fn outcome(answer: Result<&Outcome, &AppendError>) -> &'static str {
    match answer {
        Ok(Outcome::Appended { .. }) => "appended",
        Ok(Outcome::Replayed(_)) => "repeated",
        Ok(Outcome::KeyReused | Outcome::ClaimTaken(_) | Outcome::AnotherStream) => "rejected",
        Ok(Outcome::Conflict { .. } | Outcome::Stale(_)) => "lost",
        Err(AppendError::Overloaded) => "overloaded",
        Err(AppendError::Database(_) | AppendError::Closed) => "failed",
        Err(
            AppendError::TooLarge { .. }
            | AppendError::Nul { .. }
            | AppendError::Empty
            | AppendError::NoSubject { .. }
            | AppendError::Erased { .. }
            | AppendError::Refused(_),
        ) => "refused",
    }
}

/// What the writers do.
#[derive(Debug)]
pub struct Appends {
    batches: Counter,
    size: Histogram,
    seconds: Histogram,
    /// By outcome.
    commands: [Counter; OUTCOMES.len()],
}

impl Default for Appends {
    fn default() -> Self {
        Self {
            batches: counter!("tizza_append_batches_total"),
            size: histogram!("tizza_append_batch_size"),
            seconds: histogram!("tizza_append_duration_seconds"),
            commands: OUTCOMES.map(|outcome| counter!("tizza_append_commands_total", "outcome" => outcome)),
        }
    }
}

impl Appends {
    /// A transaction was written.
    pub fn wrote(&self, commands: usize, took: Duration) {
        self.batches.increment(1);
        self.size.record(commands as f64);
        self.seconds.record(took);
    }

    /// A command is answered.
    pub fn answered(&self, answer: Result<&Outcome, &AppendError>) {
        let outcome = outcome(answer);
        if let Some(index) = OUTCOMES.iter().position(|name| *name == outcome) {
            self.commands[index].increment(1);
        }
    }
}
