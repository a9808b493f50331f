//! How soon a new Tizza is there, and how small it is.

use std::path::Path;

use crate::{
    Bench,
    figure::{Figure, Report, median},
    program::Tizza,
};

/// `start_ms` and `idle_mib`, of new folders: the stores are made, too.
///
/// # Errors
/// It does not come up.
pub async fn measure(bench: &Bench, binary: &Path, report: &mut Report) -> anyhow::Result<()> {
    let (mut times, mut sizes) = (vec![], vec![]);
    for _ in 0..bench.runs {
        let tizza = Tizza::start(binary).await?;
        times.push(tizza.started_in.as_secs_f64() * 1_000.0);
        tizza.folded().await?;
        sizes.push(tizza.process.mib("VmRSS")?);
    }
    report.tell(&Figure { name: "start_ms", value: median(times), unit: "ms", baseline: None, aim: None });
    report.tell(&Figure { name: "idle_mib", value: median(sizes), unit: "MiB", baseline: None, aim: None });
    Ok(())
}
