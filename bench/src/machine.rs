//! Whether others use the machine meanwhile: then figures mean little.

use std::time::Duration;

use anyhow::Context;

const SAMPLE: Duration = Duration::from_millis(200);
/// A share of all processors that is no matter.
const NO_MATTER: f64 = 0.1;

/// The most that others used, of all processors, whenever it was looked.
#[derive(Debug, Default)]
pub struct Others(f64);

impl Others {
    /// Looks for a moment; what the bench has started must be at rest.
    ///
    /// # Errors
    /// The system does not tell.
    pub async fn look(&mut self) -> anyhow::Result<()> {
        let (before, busy_before) = ticks()?;
        tokio::time::sleep(SAMPLE).await;
        let (after, busy_after) = ticks()?;
        let share = (busy_after - busy_before) / (after - before).max(1.0);
        self.0 = self.0.max(share);
        Ok(())
    }

    /// Tells whoever looks on, if it was too much.
    pub fn warn(&self, name: &str) {
        if self.0 > NO_MATTER {
            eprintln!("{name}: others used up to {:.0} % of the processors between runs: the figure means little", self.0 * 100.0);
        }
    }
}

/// Ticks of all processors since the system started, and how many of them were not idle (proc(5), /proc/stat).
fn ticks() -> anyhow::Result<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("/proc/stat tells nothing of all processors")?;
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user.
    let ticks: Vec<f64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>()?;
    let (all, idle): (f64, f64) = (ticks.iter().sum(), ticks.iter().skip(3).take(2).sum());
    Ok((all, all - idle))
}

/// The most memory that this process has held so far, in MiB.
///
/// # Errors
/// The system does not say.
pub fn peak_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    Ok(anyhow::Context::context(kib, "/proc says nothing of VmHWM")? / 1024.0)
}
