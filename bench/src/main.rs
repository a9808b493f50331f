//! `bench`: measures Tizza, embedded and on Postgres, each figure beside a baseline of the same machine in the same minute.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`likes`] | embedded: reactions a second, and what memory they take |
//! | [`reads`] | one pizza, and random pizzas, out of many |
//! | [`start`] | how soon a new Tizza is there, and how small |
//! | [`postgres`] | commands on Postgres |
//! | [`verify`] | looking through a whole log, in a file and in Postgres |
//! | [`kafka`] | the relay, the projector and the services through a real broker |
//! | [`moving`] | `tizza move` |
//! | [`rebuild`] | building a generation out of a whole log, verifying it, folding live |
//! | [`operating`] | what clients notice of rebuilds and swaps |
//! | [`insert`], [`bare`] | the baselines: SQLite's own commit, and a handler that does nothing but the select |
//! | [`figure`] | what is printed |
//! | [`load`] | wrk, the load generator |
//! | [`machine`] | whether others disturb |
//! | [`program`], [`people`], [`history`] | the measured program, and what is put into it over HTTP, or straight into its log |
//!
//! Figures are on standard output, everything else on standard error.

mod bare;
mod figure;
mod history;
mod insert;
mod kafka;
mod likes;
mod load;
mod machine;
mod moving;
mod operating;
mod people;
mod postgres;
mod program;
mod reads;
mod rebuild;
mod start;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};

use figure::Report;

/// Measure Tizza, embedded and on Postgres: `cargo build --release`, then `cargo run --release -p bench`.
#[derive(Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    own: Option<Own>,
    #[command(flatten)]
    bench: Bench,
}

/// What the bench starts of itself.
#[derive(Subcommand, Debug)]
enum Own {
    #[command(hide = true)]
    Bare(bare::Config),
}

/// What to measure and for how long.
#[derive(Args, Debug)]
pub struct Bench {
    /// Which figures
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// How often each is measured; the median counts
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(1..=50))]
    runs: u16,
    /// How long a run lasts
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many pizzas there are to be read
    #[arg(long, default_value = "100000", value_parser = clap::value_parser!(u32).range(2_000..))]
    pizzas: u32,
    /// How many commands `append` has in flight
    #[arg(long, default_value = "256", value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,
    /// How many events `rebuild` folds
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u32).range(100_000..))]
    events: u32,
    /// Where to make a cluster of Postgres: on a disk, and open to others than root
    #[arg(long, default_value = "/var/tmp")]
    folder: PathBuf,
    /// One JSON object a figure
    #[arg(long)]
    json: bool,
    /// The program to measure [default: tizza beside this one]
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Groups of figures.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// All that are embedded: everything over SQLite files, in one process
    Embedded,
    /// Reactions a second: of 64 users, and of one
    Likes,
    /// Pizzas read by id
    Pizza,
    /// Random pizzas, 15 at a time
    Random,
    /// Memory, idle and after likes; and the time to start
    Memory,
    /// All that are on Postgres, beside pgbench on the same cluster: of 1,000 users, and of one
    Postgres,
    /// Likes over 1, 32 and 64 connections
    PostgresLikes,
    /// Changes of one pizza's title by 32 at once
    PostgresTitles,
    /// The slowest of 100 likes, at 70 % of the peak rate
    PostgresLatency,
    /// Appending in the bench's own process, many commands in flight
    Append,
    /// `tizza log verify`, on SQLite and on Postgres
    Verify,
    /// `tizza move` from SQLite to Postgres, beside COPY
    Move,
    /// All that go through Kafka: relay, projector, separate services
    Kafka,
    /// Rebuilds of 1 M events beside COPY and a bare fold, on SQLite and on Postgres
    Rebuild,
    /// What clients notice of rebuilds and swaps, embedded and on Postgres
    Operating,
    /// All of them
    All,
}

impl What {
    /// Whether `group` is asked for.
    fn includes(self, group: Self) -> bool {
        self == group || self == Self::All || self == group.deployment()
    }

    /// The group that a group is part of.
    fn deployment(self) -> Self {
        match self {
            Self::Embedded | Self::Likes | Self::Pizza | Self::Random | Self::Memory => Self::Embedded,
            Self::Postgres
            | Self::PostgresLikes
            | Self::PostgresTitles
            | Self::PostgresLatency
            | Self::Append
            | Self::Verify
            | Self::Move => Self::Postgres,
            Self::Kafka => Self::Kafka,
            Self::Rebuild => Self::Rebuild,
            Self::Operating => Self::Operating,
            Self::All => Self::All,
        }
    }

    /// Whether any of these is asked for.
    fn includes_any<const N: usize>(self, groups: [Self; N]) -> bool {
        groups.into_iter().any(|group| self.includes(group))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { own, bench } = Cli::parse();
    let done = match own {
        Some(Own::Bare(config)) => config.serve().await,
        None => bench.measure().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Bench {
    /// A group that fails is told, and the others are measured all the same.
    async fn measure(&self) -> anyhow::Result<()> {
        let mut report = Report::new(self.json);
        if self.what.includes(What::Append) {
            let done = postgres::append::measure(self, &report).await;
            report.ended("append", done);
        }
        if self.what.includes(What::Verify) {
            let done = verify::measure(self, &report).await;
            report.ended("verify", done);
        }
        if self.what.includes(What::Move) {
            let done = moving::measure(self, &self.binary()?, &report).await;
            report.ended("move", done);
        }
        if self.what.includes(What::Rebuild) {
            let done = rebuild::measure(self, &report).await;
            report.ended("rebuild", done);
        }
        if self.what.includes(What::Kafka) {
            let done = kafka::measure(self, &self.binary()?, &report).await;
            report.ended("kafka", done);
        }
        if !matches!(self.what, What::Append | What::Verify | What::Move | What::Rebuild | What::Kafka) {
            self.measure_programs(&mut report).await?;
        }
        report.finish()
    }

    async fn measure_programs(&self, report: &mut Report) -> anyhow::Result<()> {
        let binary = self.binary()?;
        let wrk = load::Wrk::new(self.seconds).await?;
        if self.what.includes(What::Memory) {
            let done = start::measure(self, &binary, report).await;
            report.ended("start", done);
        }
        if self.what.includes_any([What::Likes, What::Memory]) {
            let done = likes::measure(self, &binary, &wrk, report).await;
            report.ended("likes", done);
        }
        if self.what.includes_any([What::Pizza, What::Random]) {
            let done = reads::measure(self, &binary, &wrk, report).await;
            report.ended("reads", done);
        }
        if self.what.includes(What::Operating) {
            let done = operating::measure(self, &binary, &wrk, report).await;
            report.ended("operating", done);
        }
        if self.what.includes_any([What::PostgresLikes, What::PostgresTitles, What::PostgresLatency]) {
            let done = postgres::measure(self, &binary, &wrk, report).await;
            report.ended("postgres", done);
        }
        Ok(())
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        if cfg!(debug_assertions) {
            eprintln!("bench: this is a debug build: its baselines are too slow and its ratios mean nothing");
        }
        let binary = match &self.binary {
            Some(binary) => binary.clone(),
            None => std::env::current_exe().context("where this program is")?.with_file_name("tizza"),
        };
        anyhow::ensure!(binary.is_file(), "{} is missing: build it with `cargo build --release`", binary.display());
        Ok(binary)
    }
}
