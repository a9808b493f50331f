//! How far a job is and what it came to, for people.

use std::io::{self, Write};

use indicatif::{HumanCount, HumanDuration};
use read_store::jobs::{Difference, Job, Kind, Outcome, Phase, Progress, State};

/// How far it is.
pub fn far(job: &Job) -> String {
    let Progress { folded, events, events_per_second, seconds_left, .. } = &job.progress;
    let mut told = format!("{}{}", what(job.kind), doing(job.progress.phase));
    if *events > 0 {
        told += &format!(", {} of {} events", HumanCount(folded.unsigned_abs()), HumanCount(events.unsigned_abs()));
    }
    if *events_per_second > 0.0 {
        told += &format!(", {} a second", HumanCount(*events_per_second as u64));
    }
    if let Some(left) = seconds_left {
        told += &format!(", {} left", HumanDuration(std::time::Duration::from_secs_f64(left.clamp(0.0, 1e9))));
    }
    if job.state == State::Paused { told + ", paused" } else { told }
}

const fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Rebuild => "rebuild: ",
        Kind::Upgrade => "build of this version: ",
        Kind::Verify => "verification: ",
        Kind::Copy => "copy: ",
    }
}

/// What it is at.
pub const fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waits for somebody to begin",
        Phase::Folding => "folds the log",
        Phase::Indexing => "makes indexes",
        Phase::CatchingUp => "catches up",
        Phase::Verifying => "folds the log again, to compare",
        Phase::Comparing => "compares rows",
        Phase::Swapping => "is about to be swapped in",
        Phase::Ended => "has ended",
    }
}

/// Writes how two generations differ, table by table. `added` is what only the first one has.
pub fn differences(out: &mut impl Write, outcome: &Outcome, [added, removed]: [&str; 2]) -> io::Result<()> {
    for Difference { table, added: more, removed: fewer, changed, keys } in &outcome.differences {
        writeln!(out, "  {table}: {more} rows {added}, {fewer} {removed}, {changed} with other values")?;
        for key in keys {
            writeln!(out, "    {key}")?;
        }
    }
    Ok(())
}

/// How many rows were compared.
pub fn compared(outcome: &Outcome) -> String {
    let left_out = match outcome.left_out {
        0 => String::new(),
        rows => format!(", {} of erased persons left out", HumanCount(rows.unsigned_abs())),
    };
    let rows = if outcome.rows == 1 { "row" } else { "rows" };
    format!("{} {rows} compared{left_out}", HumanCount(outcome.rows.unsigned_abs()))
}
