//! The log, read ahead of those who fold it.

use event_log::{EventLog, Partition, Position, Recorded};
use events::{Event, users::USER_DELETED};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::lane;
use crate::Prepared;

/// So many pages wait to be folded.
const AHEAD: usize = 2;

/// The listed events up to some place.
pub struct Page {
    pub events: Vec<Recorded>,
    pub to: Position,
}

/// Pages of one partition, read by a thread of its own.
pub struct Pages {
    pages: mpsc::Receiver<Result<Page, sqlx::Error>>,
    _reading: DropGuard,
}

impl Pages {
    /// What goes into a generation, after one position and up to another.
    pub fn read(
        log: &EventLog,
        target: &Prepared,
        partition: Partition,
        (from, until): (Position, Position),
        size: usize,
    ) -> std::io::Result<Self> {
        let (log, types) = (log.clone(), types(target));
        let (tell, pages) = mpsc::channel(AHEAD);
        let reading = CancellationToken::new();
        let read = async move {
            let mut from = from;
            while from < until {
                let page = log.replay(partition, from, until, &types, size).await.map(|events| {
                    let to = if events.len() < size { until } else { events.last().map_or(until, |last| last.position) };
                    Page { events, to }
                });
                from = page.as_ref().map_or(until, |page| page.to);
                if tell.send(page).await.is_err() {
                    return;
                }
            }
        };
        lane::spawn(reading.clone(), read)?;
        Ok(Self { pages, _reading: reading.drop_guard() })
    }

    /// The next one.
    pub async fn next(&mut self) -> Option<Result<Page, sqlx::Error>> {
        self.pages.recv().await
    }
}

/// Deletions of users concern whatever is parked of them.
fn types(target: &Prepared) -> Vec<&'static str> {
    Event::types().map(|known| known.name).filter(|name| *name == USER_DELETED || target.lists(name)).collect()
}
