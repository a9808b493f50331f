//! Traces on their way to a collector: OTLP over HTTP, by a thread of its own. What a collector that is away cannot take is forgotten.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use axum::http::Uri;
use clap::{Args, ValueEnum};
use event_log::trace::{self, BoxedTracer};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter},
};

use crate::config::ConfigError;

/// How long the end waits for the collector.
const LAST: Duration = Duration::from_secs(2);
/// How often it is said that the collector does not take them.
const SAY: Duration = Duration::from_secs(60);

/// Where traces go. The names are those of OpenTelemetry's specification.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Traces")]
pub struct Traces {
    /// Collector that takes traces by OTLP over HTTP, http://HOST:PORT; without one none are made
    #[arg(long, env, value_name = "URL")]
    otel_exporter_otlp_endpoint: Option<String>,
    /// What this service is called there [default: tizza- and its role]
    #[arg(long, env, value_name = "NAME")]
    otel_service_name: Option<String>,
    /// Which traces are kept; `parentbased`: as whoever sends a request has decided, if they have
    #[arg(long, env, value_enum, default_value_t = Sampler::ParentbasedAlwaysOn)]
    otel_traces_sampler: Sampler,
    /// The share of traces that a sampler by ratio keeps, 0 to 1
    #[arg(long, env, default_value_t = 1.0, value_parser = ratio)]
    otel_traces_sampler_arg: f64,
}

/// Which traces are kept.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
enum Sampler {
    AlwaysOn,
    AlwaysOff,
    #[value(name = "traceidratio")]
    Ratio,
    ParentbasedAlwaysOn,
    ParentbasedAlwaysOff,
    #[value(name = "parentbased_traceidratio")]
    ParentbasedRatio,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "expected a number from 0 to 1".into())
}

/// The export, until it is dropped; then what is left is sent, if that takes no longer than two seconds.
#[derive(Debug)]
#[must_use]
pub struct Exporting(Option<SdkTracerProvider>);

impl Traces {
    /// Begins to export, if there is a collector.
    ///
    /// # Errors
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` is no URL that can be used.
    pub fn start(&self, role: &'static str) -> Result<Exporting, ConfigError> {
        // One that is set and empty is none (OpenTelemetry's specification of environment variables).
        let endpoint = self.otel_exporter_otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        let Some(endpoint) = endpoint else { return Ok(Exporting(None)) };
        let wrong = |problem: String| ConfigError::new("OTEL_EXPORTER_OTLP_ENDPOINT", problem);
        let uri = endpoint.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http") && uri.query().is_none());
        if uri.is_none() {
            return Err(wrong("expected http://HOST:PORT: a collector nearby, which passes them on".into()));
        }
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/'))).build();
        let exporter = Forgiving { exporter: exporter.map_err(|error| wrong(error.to_string()))?, said_at: Mutex::default() };
        let service = self.otel_service_name.clone().unwrap_or_else(|| format!("tizza-{role}"));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .with_sampler(self.sampler())
            .with_resource(Resource::builder().with_service_name(service).build())
            .build();
        trace::export(BoxedTracer::new(Box::new(provider.tracer("tizza"))));
        Ok(Exporting(Some(provider)))
    }

    fn sampler(&self) -> opentelemetry_sdk::trace::Sampler {
        use opentelemetry_sdk::trace::Sampler::{AlwaysOff, AlwaysOn, ParentBased, TraceIdRatioBased};
        let by_ratio = TraceIdRatioBased(self.otel_traces_sampler_arg);
        match self.otel_traces_sampler {
            Sampler::AlwaysOn => AlwaysOn,
            Sampler::AlwaysOff => AlwaysOff,
            Sampler::Ratio => by_ratio,
            Sampler::ParentbasedAlwaysOn => ParentBased(Box::new(AlwaysOn)),
            Sampler::ParentbasedAlwaysOff => ParentBased(Box::new(AlwaysOff)),
            Sampler::ParentbasedRatio => ParentBased(Box::new(by_ratio)),
        }
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.as_ref().map(|provider| provider.shutdown_with_timeout(LAST)) {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

/// Says once in a while that nobody takes the spans.
#[derive(Debug)]
struct Forgiving<E> {
    exporter: E,
    said_at: Mutex<Option<Instant>>,
}

impl<E: SpanExporter> SpanExporter for Forgiving<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch).await;
        if let Err(error) = &exported {
            let mut said_at = self.said_at.lock().expect("no panic while it is held");
            if said_at.is_none_or(|at| at.elapsed() > SAY) {
                tracing::warn!(%error, "the collector takes no traces; they are forgotten");
                *said_at = Some(Instant::now());
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
