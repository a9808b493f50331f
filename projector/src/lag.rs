//! How far behind the views are, what is parked, and how the topic is followed: for operators.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use event_log::{EventLog, Partition, kafka};
use metrics::{Gauge, counter, gauge};
use read_store::{ReadError, ReadStore, View, views};
use service_kit::health::age;

/// What one view has to fold yet of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Of which view.
    pub view: &'static View,
    /// Of which partition.
    pub partition: Partition,
    /// How many events.
    pub events: i64,
    /// When the oldest of them was written.
    pub since: Option<DateTime<Utc>>,
}

/// What each live view has to fold yet.
///
/// # Errors
/// A view is not built yet, or a database failed.
pub async fn of_views(log: &EventLog, store: &ReadStore) -> Result<Vec<Lag>, ReadError> {
    let live = store.live().await?;
    let checkpoints = store.checkpoints().await?;
    let heads = log.all_heads().await?;
    let folded = |view: &View| {
        live.generation(view).and_then(|generation| checkpoints.get(&(view.name.to_owned(), generation))).copied().unwrap_or_default()
    };
    let places = views::ALL.into_iter().flat_map(|view| Partition::all().zip(folded(view)).map(move |place| (view, place)));
    let lags: Vec<_> = places.map(|(view, (partition, folded))| (view, partition, folded, heads[partition.index()] - folded)).collect();
    let behind: HashSet<_> =
        lags.iter().filter(|(.., events)| *events > 0).map(|(_, partition, folded, _)| (*partition, folded + 1)).collect();
    let since = log.recorded_at(&behind.into_iter().collect::<Vec<_>>()).await?;
    let lag = |(view, partition, folded, events)| Lag { view, partition, events, since: since.get(&(partition, folded + 1)).copied() };
    Ok(lags.into_iter().map(lag).collect())
}

/// How many events each view has to fold yet.
#[must_use]
pub fn in_events(lags: &[Lag]) -> BTreeMap<&'static str, i64> {
    let mut events = BTreeMap::new();
    lags.iter().for_each(|lag| *events.entry(lag.view.name).or_default() += lag.events);
    events
}

/// Tells Prometheus; where nothing is known, that too.
pub(crate) fn measured(lags: Option<Vec<Lag>>) {
    let Some(lags) = lags else {
        for (view, partition) in views::ALL.into_iter().flat_map(|view| Partition::all().map(move |partition| (view, partition))) {
            gauges(view, partition).iter().for_each(|gauge| gauge.set(f64::NAN));
        }
        return;
    };
    for lag in lags {
        let [events, seconds] = gauges(lag.view, lag.partition);
        events.set(lag.events as f64);
        seconds.set(lag.since.map_or(0.0, |since| age(since).as_secs_f64()));
    }
}

fn gauges(view: &View, partition: Partition) -> [Gauge; 2] {
    let number = partition.number().to_string();
    let labels = [("projection", view.name.to_owned()), ("partition", number)];
    [gauge!("tizza_projection_lag_events", &labels), gauge!("tizza_projection_lag_seconds", &labels)]
}

/// Tells Prometheus how many events are parked; a view without any is told, too.
pub(crate) fn parked(found: Option<Vec<(String, i64)>>) {
    let none = if found.is_some() { 0.0 } else { f64::NAN };
    let parked = |by: String| gauge!("tizza_parked_events", "by" => by);
    views::ALL.iter().for_each(|view| parked(view.name.to_owned()).set(none));
    found.into_iter().flatten().for_each(|(view, events)| parked(view).set(events as f64));
}

/// Tells Prometheus how the topic is followed.
pub(crate) fn followed(following: Option<kafka::Following>) {
    let following = following.unwrap_or_default();
    gauge!("tizza_kafka_connected", "client" => "projector").set(f64::from(u8::from(following.is_connected)));
    gauge!("tizza_kafka_partitions").set(following.partitions as f64);
    counter!("tizza_kafka_rebalances_total").absolute(following.rebalances);
    counter!("tizza_kafka_foreign_records_total").absolute(following.strangers);
    counter!("tizza_kafka_gaps_total").absolute(following.gaps);
}
