//! How far an operator's command has come, on standard error, where a person looks on.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for so many events, with the time that is left.
pub fn events(number: u64) -> ProgressBar {
    let style = "{bar:40} {human_pos}/{human_len} events, {per_sec}, {eta} left";
    let bar = ProgressBar::new(number);
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
