//! All of the log, as lines.

use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use clap::Args;
use event_log::{Heads, LogStore, MAX_PAYLOAD, Partition, Position};
use serde_json::Value;
use service_kit::config::Stores;

use super::{envelope::as_json, opened::open};
use crate::progress;

/// How many events are read at once.
const PAGE: usize = 1_000;
/// No line is longer: the payload, and much more than its envelope takes.
const LONGEST_LINE: u64 = 2 * MAX_PAYLOAD as u64;

/// Where to.
#[derive(Args, Debug)]
pub struct Export {
    /// A file; one that was interrupted is gone on with, behind its last whole line [default: standard output]
    #[arg(long, short)]
    output: Option<PathBuf>,
    #[command(flatten)]
    stores: Stores,
}

/// The last event that was written.
struct Last {
    partition: Partition,
    position: Position,
}

impl Export {
    /// Writes what the log holds now.
    pub async fn run(self) -> anyhow::Result<()> {
        let log = open(&self.stores).await?;
        let written = self.write(&log).await;
        log.close().await;
        written
    }

    async fn write(&self, log: &LogStore) -> anyhow::Result<()> {
        let heads = log.heads().await?;
        let Some(path) = &self.output else {
            return lines(log, &heads, None, &mut BufWriter::new(std::io::stdout())).await;
        };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.as_mut().map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
        let last = go_on(file, log, path).await?;
        lines(log, &heads, last, &mut BufWriter::new(&mut *file)).await.with_context(|| path.display().to_string())?;
        file.sync_all().with_context(|| path.display().to_string())
    }
}

async fn lines(log: &LogStore, heads: &Heads, last: Option<Last>, out: &mut impl Write) -> anyhow::Result<()> {
    let epochs = log.epochs().await?;
    let bar = progress::bar(heads.iter().sum::<Position>().unsigned_abs(), "events");
    for partition in Partition::all() {
        let head = heads[partition.index()];
        let mut position = match &last {
            Some(last) if partition < last.partition => head,
            Some(last) if partition == last.partition => last.position,
            Some(_) | None => 0,
        };
        bar.inc(position.unsigned_abs());
        while position < head {
            let limit = PAGE.min(usize::try_from(head - position)?);
            let page = log.read(partition, position, limit).await?;
            position = page.last().context("the log ends before its head: see `tizza log verify`")?.position;
            for event in &page {
                writeln!(out, "{}", as_json(event, &epochs)?)?;
            }
            bar.inc(page.len() as u64);
        }
    }
    bar.finish_and_clear();
    Ok(out.flush()?)
}

/// Cuts off a line that was not written whole, and finds the event of the last one, which must be one of this log.
async fn go_on(file: &mut File, log: &LogStore, path: &Path) -> anyhow::Result<Option<Last>> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(2 * LONGEST_LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = vec![];
    file.read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
        ensure!(from == 0 && tail.first().is_none_or(|byte| *byte == b'{'), "{} is no export", path.display());
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        return Ok(None);
    };
    let begin = tail[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    let last = last_of(&tail[begin..end], log).await.with_context(|| format!("{} is no export of this log", path.display()))?;
    file.set_len(from + end as u64 + 1)?;
    file.seek(SeekFrom::End(0))?;
    Ok(Some(last))
}

async fn last_of(line: &[u8], log: &LogStore) -> anyhow::Result<Last> {
    let line: Value = serde_json::from_slice(line).context("its last line is no JSON")?;
    let partition = line["partition"].as_u64().and_then(|number| Partition::new(number.try_into().ok()?));
    let partition = partition.context("its last line names no partition")?;
    let position: Position = line["position"].as_str().and_then(|text| text.parse().ok()).context("its last line names no position")?;
    let stored = log.read(partition, position - 1, 1).await?;
    let same = stored.first().is_some_and(|event| event.position == position && line["event_id"] == event.event_id.to_string());
    ensure!(same, "the event at {}.{position} is another one", partition.number());
    Ok(Last { partition, position })
}
