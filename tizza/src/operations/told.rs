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

/// Writes how two generations differ, table by table; `new` and `old` are where rows are that the other has not.
pub fn differences(out: &mut impl Write, outcome: &Outcome, [new, old]: [&str; 2]) -> io::Result<()> {
    for Difference { table, added, removed, changed, keys } in &outcome.differences {
        writeln!(out, "  {table}: {added} only {new}, {removed} only {old}, {changed} different")?;
        for key in keys {
            writeln!(out, "    {key}")?;
        }
    }
    Ok(())
}

/// How many rows were compared, and how many differ.
pub fn compared(outcome: &Outcome) -> String {
    let count = |rows: i64| format!("{} {}", HumanCount(rows.unsigned_abs()), if rows == 1 { "row" } else { "rows" });
    let differ: i64 = outcome.differences.iter().map(|one| one.added + one.removed + one.changed).sum();
    let left_out = match outcome.left_out {
        0 => String::new(),
        rows => format!("; {} of erased persons left out", count(rows)),
    };
    let rows = count(outcome.rows);
    match differ {
        0 => format!("none of {rows} differs{left_out}"),
        1 => format!("1 row of {} differs{left_out}", HumanCount(outcome.rows.unsigned_abs())),
        _ => format!("{} of {} differ{left_out}", count(differ), HumanCount(outcome.rows.unsigned_abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_people_do() {
        let outcome = |rows, changed, left_out| {
            let differences = vec![Difference { table: "users".into(), added: 0, removed: 0, changed, keys: vec![] }];
            compared(&Outcome { rows, left_out, differences, ..Outcome::default() })
        };
        assert_eq!(outcome(1, 0, 0), "none of 1 row differs");
        assert_eq!(outcome(4, 1, 0), "1 row of 4 differs");
        assert_eq!(outcome(1_204, 3, 1), "3 rows of 1,204 differ; 1 row of erased persons left out");
    }
}
