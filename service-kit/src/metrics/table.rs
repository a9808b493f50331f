//! Every metric that a service exports.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// With its unit at the end, and `_total` where it only grows.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The labels of each of its series.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

/// How a metric behaves.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// It only grows, from 0 at the start of the process.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Sorted into buckets, whose upper ends these are.
    Histogram(&'static [f64]),
}

impl Metric {
    pub(super) fn describe(&self) {
        match self.kind {
            Kind::Counter => describe_counter!(self.name, self.help),
            Kind::Gauge => describe_gauge!(self.name, self.help),
            Kind::Histogram(_) => describe_histogram!(self.name, self.help),
        }
    }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(name: &'static str, buckets: &'static [f64], labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram(buckets), labels, help }
}

/// Seconds.
const REQUESTS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds.
const APPENDS: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
/// Commands.
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// All of them. A gauge that cannot be known at the moment is NaN.
pub static TABLE: &[Metric] = &[
    gauge("tizza_build_info", &["version", "role"], "1, for what runs"),
    counter("tizza_http_requests_total", &["method", "route", "status"], "requests answered"),
    histogram("tizza_http_request_duration_seconds", REQUESTS, &["method", "route"], "how long requests took"),
    counter("tizza_append_batches_total", &[], "transactions that wrote commands to the log"),
    histogram("tizza_append_batch_size", BATCHES, &[], "commands in a transaction"),
    histogram("tizza_append_duration_seconds", APPENDS, &[], "how long a transaction took"),
    counter("tizza_append_commands_total", &["outcome"], "commands that came to the log, by what became of them"),
    gauge("tizza_append_queue", &[], "commands that wait for the log"),
    gauge("tizza_relay_backlog_events", &[], "events that the topic is not known to hold"),
    gauge("tizza_relay_backlog_seconds", &[], "since when the oldest of them waits"),
    counter("tizza_relay_records_total", &[], "records that have arrived on the topic"),
    counter("tizza_relay_failures_total", &[], "times that records did not arrive and were sent again"),
    gauge("tizza_kafka_connected", &["client"], "1 if a broker is there and records move"),
    counter("tizza_kafka_rebalances_total", &[], "times that partitions were given to this projector, or taken"),
    gauge("tizza_kafka_partitions", &[], "partitions of the topic that this projector has"),
    counter("tizza_kafka_foreign_records_total", &[], "records on the topic that are none of ours"),
    counter("tizza_kafka_gaps_total", &[], "times that events were missing on the topic and were read from the log"),
    gauge("tizza_projection_lag_events", &["projection", "partition"], "events that are not folded yet"),
    gauge("tizza_projection_lag_seconds", &["projection", "partition"], "the age of the oldest of them"),
    counter("tizza_projection_events_total", &["projection"], "events that this process has folded"),
    gauge("tizza_projection_stopped", &["projection", "partition"], "1 if this process cannot fold the next event"),
    gauge("tizza_parked_events", &["by"], "events that policies and projections have laid aside until somebody looks after them"),
    counter("tizza_policy_attempts_total", &["policy", "outcome"], "reactions to events, by what became of them"),
    counter("tizza_cache_requests_total", &["cache", "result"], "looks into caches, found or not"),
    counter("tizza_key_store_errors_total", &[], "times that the store of personal keys failed, or a key could not be opened"),
];
