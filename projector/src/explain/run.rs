//! The log, folded by probes.

use std::{collections::HashMap, sync::Arc};

use database::on;
use event_log::{EventLog, Partition, Position, Recorded};
use futures::{Stream, stream};
use read_store::{ReadStore, View};
use tokio::sync::mpsc::{self, Sender};

use super::{Asked, Changed, Passed, Place, Probe, Told};
use crate::Projection;

/// How many events are read at once.
const PAGE: usize = 1_000;

/// Events that the rows do not include, and why.
type NotFolded = HashMap<(Partition, Position), String>;

/// What has changed a row, as the log is now. `None`: no table has such a key. Whoever drops the stream ends it.
pub fn explain(
    log: &EventLog,
    store: &ReadStore,
    projection: &Arc<dyn Projection>,
    asked: &Asked,
) -> Option<impl Stream<Item = Told> + Send + use<>> {
    projection.probe(asked)?;
    let (out, told) = mpsc::channel(64);
    let looking = Looking { log: log.clone(), store: store.clone(), projection: projection.clone(), asked: asked.clone(), out };
    tokio::spawn(looking.look());
    Some(stream::unfold(told, async |mut told| Some((told.recv().await?, told))))
}

struct Looking {
    log: EventLog,
    store: ReadStore,
    projection: Arc<dyn Projection>,
    asked: Asked,
    out: Sender<Told>,
}

impl Looking {
    async fn look(self) {
        let end = match self.look_through().await {
            Ok((events, changes)) => Told::End { events, changes },
            Err(error) => {
                tracing::warn!(%error, "an explanation ends before the log does");
                Told::Failed { detail: "A store is not available; try again.".into() }
            }
        };
        // Nobody listens any more: then nobody misses it.
        let _ = self.out.send(end).await;
    }

    async fn look_through(&self) -> Result<(i64, i64), sqlx::Error> {
        let (heads, not_folded) = (self.log.all_heads().await?, not_folded(&self.store, self.projection.view()).await?);
        let (mut events, mut changes) = (0, 0);
        for partition in Partition::all() {
            let Some(mut probe) = self.projection.probe(&self.asked) else { continue };
            let (mut position, head) = (0, heads[partition.index()]);
            while position < head && !self.out.is_closed() {
                let page = self.log.read(partition, position, PAGE.min((head - position) as usize)).await?;
                let Some(last) = page.last() else { break };
                position = last.position;
                events += page.len() as i64;
                for told in page.iter().flat_map(|recorded| fold(&mut *probe, recorded, &not_folded)) {
                    changes += i64::from(matches!(told, Told::Changed(_)));
                    // See above.
                    let _ = self.out.send(told).await;
                }
            }
        }
        Ok((events, changes))
    }
}

fn fold(probe: &mut dyn Probe, recorded: &Recorded, not_folded: &NotFolded) -> Vec<Told> {
    let passed = |reason| vec![Told::Passed(Passed { event: Place::of(recorded), reason })];
    if let Some(reason) = not_folded.get(&(recorded.partition, recorded.position)) {
        return passed(reason.clone());
    }
    let changed = |change| Told::Changed(Changed { event: Place::of(recorded), actor: recorded.metadata.actor.clone(), change });
    match probe.fold(recorded) {
        Ok(changes) => changes.into_iter().map(changed).collect(),
        // Its source may repeat what the payload holds.
        Err(error) => passed(error.to_string()),
    }
}

/// What is parked in the live generation, and what operators have given up on.
async fn not_folded(store: &ReadStore, view: &View) -> Result<NotFolded, sqlx::Error> {
    let parked = "select p.partition, p.position from parked_events p
                  join live_generations l on l.projection = p.projection and l.generation = p.generation
                  where l.projection = $1 and l.version = $2";
    let skipped = "select partition, position from skipped_events where projection = $1 and version = $2";
    let mut found = NotFolded::new();
    for (sql, why) in [(parked, "parked"), (skipped, "skipped by an operator")] {
        let places: Vec<(Partition, Position)> =
            on!(&store.database.reader, |db| sqlx::query_as(sql).bind(view.name).bind(view.version).fetch_all(db).await)?;
        found.extend(places.into_iter().map(|place| (place, why.to_owned())));
    }
    Ok(found)
}

impl Place {
    fn of(recorded: &Recorded) -> Self {
        Self {
            partition: recorded.partition.number(),
            position: recorded.position,
            recorded_at: recorded.recorded_at,
            event_type: recorded.event_type.clone(),
            stream_id: recorded.stream_id,
            version: recorded.version,
        }
    }
}
