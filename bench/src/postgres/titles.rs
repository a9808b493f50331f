//! Many writers on one stream: new titles for one pizza.

use super::{Cluster, likes::Likers};
use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    load::Script,
};

const WRITERS: u16 = 32;

/// `postgres_titles`: changes of one pizza's title a second, by many at once, against inserts by one. None may fail.
///
/// # Errors
/// A change was refused, or wrote nothing.
pub async fn measure(bench: &Bench, cluster: &Cluster, likers: &Likers<'_>, report: &Report) -> anyhow::Result<()> {
    const NAME: &str = "postgres_titles";
    let run = async |run| {
        // Each run has another pizza, so that its first title is another one, too.
        let (owner, pizza) = likers.owned(run);
        let (owner, pizza) = (likers.wrk.file("owner", [&owner.cookie])?, likers.wrk.file("pizza", [pizza])?);
        likers.send(NAME, Script::Titles, &[&owner, &pizza], WRITERS).await
    };
    let (value, baseline) = in_turn(NAME, bench.runs, run, async || cluster.inserts(1).await).await?;
    let baseline = Some(Baseline { value: baseline, unit: "inserts/s" });
    report.tell(&Figure { name: NAME, value, unit: "changes/s", baseline, aim: Some(Aim::Ratio(0.8)) });
    Ok(())
}
