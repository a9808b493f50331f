//! Commands on Postgres, each figure beside pgbench on the same cluster, and for one user and for many: what one user does is in one
//! partition of the log.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`append`] | the log by itself, in this process |
//! | [`likes`] | likes over HTTP, by connections |
//! | [`titles`] | many writers on one stream |
//! | [`latency`], [`pace`] | how long an answer takes at a rate that is less than all |
//! | [`command_api`] | the measured process, and what it has written |
//! | [`cluster`] | Postgres, and the baseline |

pub mod append;
mod cluster;
mod command_api;
mod latency;
mod likes;
mod pace;
mod titles;

use std::path::Path;

use crate::{
    Bench, What,
    figure::{Aim, Figure, Report},
    load::Wrk,
};

pub use cluster::Cluster;
use command_api::CommandApi;
pub use latency::like;
pub use likes::Pairs;
pub use pace::{Pace, quantile};

/// Who sends commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    One,
    Many,
}

impl Crowd {
    pub const BOTH: [Self; 2] = [Self::Many, Self::One];
    /// How many are many.
    pub const MANY: usize = 1_000;

    pub fn users(self) -> usize {
        if self == Self::One { 1 } else { Self::MANY }
    }

    /// A figure's name.
    pub fn name(self, figure: &str) -> String {
        let whose = if self == Self::One { "_one_user" } else { "" };
        format!("{figure}{whose}")
    }
}

/// What command-api does over HTTP, and what memory that takes.
///
/// # Errors
/// There is no Postgres, or a request was refused.
pub async fn measure(bench: &Bench, binary: &Path, wrk: &Wrk, report: &mut Report) -> anyhow::Result<()> {
    let cluster = Cluster::start(&bench.folder, bench.seconds).await?;
    let api = CommandApi::start(binary, &cluster.new_database()).await?;
    let likers = likes::Likers::prepare(bench, &api, wrk).await?;
    if bench.what.includes(What::PostgresLikes) {
        let done = likes::measure(bench, &cluster, &likers, report).await;
        report.ended("postgres-likes", done);
    }
    if bench.what.includes(What::PostgresTitles) {
        let done = titles::measure(bench, &cluster, &likers, report).await;
        report.ended("postgres-titles", done);
    }
    if bench.what.includes(What::PostgresLatency) {
        let done = latency::measure(bench, &likers, report).await;
        report.ended("postgres-latency", done);
    }
    let value = api.process.mib("VmHWM")?;
    report.tell(&Figure { name: "postgres_memory", value, unit: "MiB", baseline: None, aim: Some(Aim::AtMost(100.0)) });
    append::tell_batches("postgres_http", api.stop().await?, report);
    Ok(())
}
