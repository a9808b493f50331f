//! Records on their way to the topic, and up to where each partition has arrived.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
    },
};

use metrics::{Counter, counter};
use rdkafka::{
    ClientContext, Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
    statistics::Statistics,
};
use tokio::sync::Notify;

use super::{Quiet, Topic, TopicError, envelope, ports::Produce};
use crate::{
    Epochs, Heads, PARTITIONS, Position, Recorded,
    trace::{self, KeyValue, Span, SpanKind},
};

/// An idempotent producer: what it sends arrives in order and once, as long as it lives. After the first failure it is of no more use: what was
/// behind is sent again by another one.
pub struct Producer {
    client: Option<ThreadedProducer<Arrivals>>,
    topic: Topic,
    arrivals: Arrivals,
}

/// Up to where each partition has arrived, without a gap; clones share it.
#[derive(Clone)]
pub struct Arrivals(Arc<Shared>);

struct Shared {
    positions: [AtomicI64; PARTITIONS as usize],
    has_failed: AtomicBool,
    failure: Mutex<Option<KafkaError>>,
    changed: Arc<Notify>,
    is_connected: AtomicBool,
    arrived: Counter,
    /// Of records that are on their way, where a trace is kept.
    spans: Mutex<HashMap<usize, Span>>,
    told: Quiet,
}

impl Arrivals {
    /// Counted from `from`; `changed` is told of whatever happens.
    #[must_use]
    pub fn new(from: Heads, changed: Arc<Notify>, told: Quiet) -> Self {
        let positions = from.map(AtomicI64::new);
        Self(Arc::new(Shared {
            positions,
            has_failed: AtomicBool::new(false),
            failure: Mutex::default(),
            changed,
            // It is made after the topic has been looked at.
            is_connected: AtomicBool::new(true),
            arrived: counter!("tizza_relay_records_total"),
            spans: Mutex::default(),
            told,
        }))
    }

    /// Up to where each partition has arrived.
    #[must_use]
    pub fn all(&self) -> Heads {
        std::array::from_fn(|partition| self.0.positions[partition].load(SeqCst))
    }

    /// From where a partition is counted. Nothing of it may be on its way.
    pub fn begin(&self, partition: usize, position: Position) {
        self.0.positions[partition].store(position, SeqCst);
    }

    /// Whether a broker is there.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.is_connected.load(SeqCst)
    }

    fn spans(&self) -> MutexGuard<'_, HashMap<usize, Span>> {
        self.0.spans.lock().expect("no panic while it is held")
    }

    /// A record has arrived. Whatever comes behind one that failed is not without a gap.
    pub fn arrive(&self, partition: usize, position: Position) {
        self.0.arrived.increment(1);
        let _ = self.0.positions[partition].compare_exchange(position - 1, position, SeqCst, SeqCst);
        self.0.changed.notify_one();
    }

    /// A record did not arrive: the producer is of no more use.
    pub fn fail(&self, error: KafkaError) {
        self.0.failure.lock().expect("no panic while it is held").get_or_insert(error);
        self.0.has_failed.store(true, SeqCst);
        self.0.changed.notify_one();
    }

    /// Why the producer is of no more use.
    #[must_use]
    pub fn failure(&self) -> Option<KafkaError> {
        if !self.0.has_failed.load(SeqCst) {
            return None;
        }
        self.0.failure.lock().expect("no panic while it is held").clone()
    }
}

impl ClientContext for Arrivals {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.told.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.told.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.0.is_connected.store(super::is_connected(&statistics), SeqCst);
    }
}

/// A partition and a position, in what the client library hands back for each record.
const fn packed(partition: usize, position: Position) -> usize {
    (position as usize) << 4 | partition
}

impl ProducerContext for Arrivals {
    type DeliveryOpaque = usize;

    /// In the order of the records, for each partition.
    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let span = if trace::is_on() { self.spans().remove(&place) } else { None };
        let (partition, position) = (place & 0xf, (place >> 4) as Position);
        match result {
            Ok(record) if record.offset() >= 0 => self.arrive(partition, position),
            failed => {
                let error = failed.as_ref().err().map(|(error, _)| error.clone());
                if let Some(mut span) = span {
                    span.fail("it did not arrive");
                }
                self.fail(error.unwrap_or(KafkaError::MessageProduction(RDKafkaErrorCode::Unknown)));
            }
        }
    }
}

impl Producer {
    /// One that has sent up to `from`. `changed` is told when something has arrived, or failed.
    pub fn new(topic: &Topic, from: Heads, changed: Arc<Notify>) -> Result<Self, TopicError> {
        let arrivals = Arrivals::new(from, changed, topic.quiet());
        let mut config = topic.config();
        config.set("enable.idempotence", "true").set("acks", "all").set("max.in.flight.requests.per.connection", "5");
        // As little as can be goes past a record that the broker refuses.
        config.set("enable.gapless.guarantee", "true");
        // It waits for the broker for ever: a record that is given up would leave a hole.
        config.set("message.timeout.ms", "0").set("linger.ms", "1");
        config.set("queue.buffering.max.messages", "100000").set("queue.buffering.max.kbytes", "65536");
        config.set("statistics.interval.ms", super::STATISTICS);
        let client = config.create_with_context(arrivals.clone());
        let client = client.map_err(|source| topic.away(source))?;
        Ok(Self { client: Some(client), topic: topic.clone(), arrivals })
    }

    /// Over when the record has arrived.
    fn span(&self, event: &Recorded) -> Option<Span> {
        let parent = trace::kept(event)?;
        Some(Span::begin("relay", SpanKind::Producer, Some(parent), || {
            vec![
                KeyValue::new("messaging.system", "kafka"),
                KeyValue::new("messaging.operation.type", "send"),
                KeyValue::new("messaging.destination.name", self.topic.name().to_owned()),
                KeyValue::new("messaging.destination.partition.id", event.partition.number().to_string()),
            ]
        }))
    }
}

impl Produce for Producer {
    fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    fn send(&self, event: &Recorded, epochs: &Epochs) -> bool {
        let Some(client) = &self.client else { return false };
        let (key, epoch) = (event.stream_id.to_string(), epochs.of(event.partition, event.position));
        let place = packed(event.partition.index(), event.position);
        let span = self.span(event);
        let sent = span.as_ref().and_then(Span::context);
        if let Some(span) = span {
            self.arrivals.spans().insert(place, span);
        }
        let record = BaseRecord::with_opaque_to(self.topic.name(), place)
            .partition(i32::from(event.partition.number()))
            .key(&key)
            .payload(&event.payload)
            .headers(envelope::headers(event, epoch, sent));
        match client.send(record) {
            Ok(()) => true,
            Err((error, _)) => {
                self.arrivals.spans().remove(&place);
                if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                    self.arrivals.fail(error);
                }
                false
            }
        }
    }
}

impl Drop for Producer {
    /// What is on its way is forgotten; that takes the client library a moment.
    fn drop(&mut self) {
        let client = self.client.take();
        std::thread::spawn(move || {
            if let Some(client) = &client {
                client.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
            }
            drop(client);
        });
    }
}
