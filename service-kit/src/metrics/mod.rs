//! What is counted and measured, for Prometheus: `GET /metrics` on the admin listener of every service.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`table`] | every metric: its name, kind, labels, and what it tells |
//! | [`scrape`] | what is asked of databases when somebody looks |
//!
//! Whoever counts does it by the macros of the crate `metrics`, with handles that are made once where it happens often. What the table does
//! not name must not be counted: a test compares the two.

pub mod scrape;
pub mod table;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use axum::http::{Method, StatusCode};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub use event_log::figures::Looks;
pub use scrape::Scrape;
pub use table::{Kind, Metric, TABLE};

/// How often samples of histograms are put into their buckets: nobody may be scraping.
const UPKEEP: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count, for the whole process; before anything is opened that makes handles.
pub fn install(role: &'static str) {
    let with_buckets = |builder: PrometheusBuilder, metric: &Metric| match metric.kind {
        Kind::Histogram(buckets) => {
            builder.set_buckets_for_metric(Matcher::Full(metric.name.into()), buckets).expect("a histogram has buckets")
        }
        Kind::Counter | Kind::Gauge => builder,
    };
    let builder = TABLE.iter().fold(PrometheusBuilder::new(), with_buckets);
    let Ok(handle) = builder.install_recorder() else { return };
    TABLE.iter().for_each(Metric::describe);
    metrics::gauge!("tizza_build_info", "version" => env!("CARGO_PKG_VERSION"), "role" => role).set(1.0);
    let kept = RECORDER.get_or_init(|| handle);
    tokio::spawn(async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            kept.run_upkeep();
        }
    });
}

/// All of it, in Prometheus's text format.
fn render() -> String {
    RECORDER.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Counts a request that is answered. `route` as it is written in the program: there are as many as there are.
pub fn answered(method: &'static str, route: &str, status: StatusCode, started: Instant) {
    let (route, status) = (route.to_owned(), status.as_str().to_owned());
    metrics::histogram!("tizza_http_request_duration_seconds", "method" => method, "route" => route.clone()).record(started.elapsed());
    metrics::counter!("tizza_http_requests_total", "method" => method, "route" => route, "status" => status).increment(1);
}

/// The name of a method that is known; clients may invent others (OpenTelemetry's conventions have the word for these).
#[must_use]
pub fn known(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("_OTHER")
}
