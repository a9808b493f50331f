//! How far an operator's command has come, on standard error, where a person looks on.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for so many things, with the time that is left.
pub fn bar(number: u64, things: &'static str) -> ProgressBar {
    let style = "{bar:40} {human_pos}/{human_len} {msg}, {per_sec}, {eta} left";
    let bar = ProgressBar::new(number).with_message(things);
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A bar for what somebody else does, who says how fast it goes.
pub fn told() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} events, {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
