//! What a process tells of itself. Log lines: JSON on standard output, or text where a person looks on.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::traces::{Exporting, Traces};

/// How to log.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct Telemetry {
    /// What to log: a level, or targets with levels, e.g. "info,sqlx=debug"
    #[arg(long, env, default_value = "info")]
    pub log_level: String,
    /// The form of a log line: by default text on a terminal, JSON elsewhere
    #[arg(long, env, value_enum)]
    pub log_format: Option<LogFormat>,
    #[command(flatten)]
    pub(crate) traces: Traces,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// For operators' commands, whose standard output is for data: what goes wrong meanwhile, on standard error.
pub fn on_stderr() {
    // Who reads a whole log has slow statements.
    let filter = EnvFilter::new("warn,sqlx::query=error");
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).with_target(false).without_time().init();
}

impl Telemetry {
    /// Starts logging, counting and tracing for the whole process; traces are sent until the answer is dropped.
    ///
    /// # Errors
    /// `LOG_LEVEL` is no filter, or traces cannot go where they should.
    pub fn start(&self, role: &'static str) -> Result<Exporting, crate::config::ConfigError> {
        let filter = EnvFilter::builder()
            .parse(&self.log_level)
            .map_err(|e| crate::config::ConfigError::new("LOG_LEVEL", format!("{:?} is no filter: {e}", self.log_level)))?;
        let terminal = std::io::stdout().is_terminal();
        let log = tracing_subscriber::fmt().with_env_filter(filter);
        match self.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json }) {
            LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
            LogFormat::Text => log.with_ansi(terminal).with_target(false).init(),
        }
        crate::metrics::install(role);
        self.traces.start(role)
    }
}
