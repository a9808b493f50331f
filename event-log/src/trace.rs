//! Where an event belongs in a trace: the W3C context that it carries from the request to the row, and the spans on the way.
//!
//! Without an exporter no span is made; then the context of whoever began the trace goes on unchanged. `opentelemetry` is spoken to here alone.

use std::{
    fmt::{self, Display},
    str::FromStr,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use chrono::Utc;
use opentelemetry::{
    Context,
    global::BoxedSpan,
    trace::{Link, Span as _, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer},
};
use serde::{Deserialize, Serialize};

use crate::Recorded;

pub use opentelemetry::{KeyValue, global::BoxedTracer, trace::SpanKind};

/// Of what is older the trace is over: a view that is built anew makes no spans of all that ever happened.
const OVER: Duration = Duration::from_secs(60 * 60);

static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

/// Has spans made from now on, for the whole process.
pub fn export(tracer: BoxedTracer) {
    // A process begins to export once.
    let _ = TRACER.set(tracer);
}

/// Whether spans are made.
#[must_use]
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// The place of a span in its trace (W3C Trace Context, section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Traceparent {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

/// What is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of the W3C's form")]
pub struct NoTraceparent;

impl Traceparent {
    /// The name of its trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// Whether the spans of its trace are kept.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags.is_sampled()
    }

    fn of(context: &SpanContext) -> Self {
        Self { trace_id: context.trace_id(), span_id: context.span_id(), flags: context.trace_flags() }
    }

    fn context(self) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags, true, TraceState::default())
    }
}

impl Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags & TraceFlags::SAMPLED)
    }
}

impl FromStr for Traceparent {
    type Err = NoTraceparent;

    /// Of a version that is newer what is known of it is read (section 3.2.3).
    fn from_str(text: &str) -> Result<Self, NoTraceparent> {
        let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let mut parts = text.split('-');
        let mut next = |length: usize| parts.next().filter(|part| part.len() == length && is_hex(part)).ok_or(NoTraceparent);
        let (version, trace_id, span_id, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        let trace_id = TraceId::from_hex(trace_id).map_err(|_| NoTraceparent)?;
        let span_id = SpanId::from_hex(span_id).map_err(|_| NoTraceparent)?;
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).map_err(|_| NoTraceparent)?);
        let is_known = version != "ff" && (version != "00" || parts.next().is_none());
        let is_valid = is_known && trace_id != TraceId::INVALID && span_id != SpanId::INVALID;
        if is_valid { Ok(Self { trace_id, span_id, flags: flags & TraceFlags::SAMPLED }) } else { Err(NoTraceparent) }
    }
}

impl From<Traceparent> for String {
    fn from(traceparent: Traceparent) -> Self {
        traceparent.to_string()
    }
}

impl TryFrom<String> for Traceparent {
    type Error = NoTraceparent;

    fn try_from(text: String) -> Result<Self, NoTraceparent> {
        text.parse()
    }
}

/// Something that is done; over when it is dropped.
#[derive(Debug)]
pub struct Span {
    span: Option<BoxedSpan>,
    context: Option<Traceparent>,
}

impl Span {
    /// Begins now, as part of what `parent` is part of; without one it begins a trace.
    pub fn begin(name: impl Display, kind: SpanKind, parent: Option<Traceparent>, told: impl FnOnce() -> Vec<KeyValue>) -> Self {
        let Some(tracer) = TRACER.get() else { return Self { span: None, context: parent } };
        let span = tracer.span_builder(name.to_string()).with_kind(kind).with_attributes(told());
        let span = tracer.build_with_context(span, &under(parent));
        Self { context: Some(Traceparent::of(span.span_context())), span: Some(span) }
    }

    /// Where it is: what follows from it is told this as its parent.
    #[must_use]
    pub const fn context(&self) -> Option<Traceparent> {
        self.context
    }

    /// Tells one thing more.
    pub fn tell(&mut self, told: impl FnOnce() -> KeyValue) {
        if let Some(span) = &mut self.span {
            span.set_attribute(told());
        }
    }

    /// It has failed.
    pub fn fail(&mut self, reason: impl Display) {
        if let Some(span) = &mut self.span {
            span.set_status(Status::error(reason.to_string()));
        }
    }
}

fn under(parent: Option<Traceparent>) -> Context {
    parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent.context()))
}

/// Of an event: its parent, if a span that is part of its trace would be kept and is of use yet.
#[must_use]
pub fn kept(event: &Recorded) -> Option<Traceparent> {
    TRACER.get()?;
    let is_over = || (Utc::now() - event.recorded_at).to_std().is_ok_and(|age| age > OVER);
    event.metadata.traceparent.filter(|parent| parent.is_sampled() && !is_over())
}

/// Many events that were dealt with at once, since `began`: a span of the batch, and for each event one in its own trace that is linked to it.
pub fn batch(name: &'static str, began: SystemTime, events: &[Recorded], told: impl Fn(Option<&Recorded>) -> Vec<KeyValue>) {
    let Some(tracer) = TRACER.get() else { return };
    let traced: Vec<_> = events.iter().filter_map(|event| Some((event, kept(event)?))).collect();
    if traced.is_empty() {
        return;
    }
    let ended = SystemTime::now();
    let begun =
        |name: String, event| tracer.span_builder(name).with_kind(SpanKind::Consumer).with_start_time(began).with_attributes(told(event));
    let mut whole = tracer.build_with_context(begun(format!("{name} batch"), None), &Context::new());
    for (event, parent) in traced {
        let span = begun(name.into(), Some(event)).with_links(vec![Link::with_context(whole.span_context().clone())]);
        tracer.build_with_context(span, &under(Some(parent))).end_with_timestamp(ended);
    }
    whole.end_with_timestamp(ended);
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_written_as_it_was_read() {
        let read: Traceparent = KNOWN.parse().unwrap();
        assert_eq!((read.to_string().as_str(), read.is_sampled()), (KNOWN, true));
        assert!(!KNOWN.replace("-01", "-00").parse::<Traceparent>().unwrap().is_sampled());
        let newer = KNOWN.replacen("00", "cc", 1) + "-what-the-future-will-be-like";
        assert_eq!(newer.parse(), Ok(read), "what is known of a newer version");
        assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{KNOWN}\""));
    }

    #[test]
    fn what_is_not_a_traceparent_is_not_taken_for_one() {
        let (zeros, upper) = (KNOWN.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), KNOWN.to_uppercase());
        let no_span = KNOWN.replace("00f067aa0ba902b7", &"0".repeat(16));
        for wrong in [
            "",
            "00",
            &KNOWN[..54],
            &format!("{KNOWN}-x"),
            &zeros,
            &no_span,
            &upper,
            &KNOWN.replacen("00", "ff", 1),
            &KNOWN.replace('-', "_"),
        ] {
            assert_eq!(wrong.parse::<Traceparent>(), Err(NoTraceparent), "{wrong}");
        }
    }

    #[test]
    fn without_an_exporter_the_context_of_the_caller_goes_on() {
        let caller = KNOWN.parse().ok();
        let span = Span::begin("x", SpanKind::Server, caller, || unreachable!("nobody looks"));
        assert_eq!(span.context(), caller);
        assert_eq!(Span::begin("x", SpanKind::Server, None, Vec::new).context(), None);
    }
}
