//! Whether the topic holds what the log says: whoever takes the last position + 1 and skips the rest gets everything in order, each the log's own event.

use std::{collections::HashMap, time::Duration};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{Quiet, Topic, TopicError, envelope};
use crate::{Heads, LogStore, Partition, Position, Recorded, kafka::topic::blocking};

/// How long a broker may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How many events are compared at once.
const PAGE: usize = 1_000;
/// How far a gap is looked across.
const SPAN: usize = 100_000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many records there are.
    pub records: u64,
    /// How many of them came again, or too early and then again.
    pub repeated: u64,
    /// How many are none of ours.
    pub strangers: u64,
    /// How many events the topic does not hold yet.
    pub behind: i64,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// The records of a topic, one partition after the other.
struct Reader {
    consumer: BaseConsumer<Quiet>,
    topic: Topic,
}

/// Where an event belongs in a trace is no part of what happened: a relay of before that was told leaves it out.
fn untraced(mut event: Recorded) -> Recorded {
    event.metadata.traceparent = None;
    event
}

/// Compares a topic with its log, up to where the log ends now. `told` hears how many events were compared, now and then.
///
/// # Errors
/// The topic is not there, or a server does not answer.
pub async fn compare(log: &LogStore, topic: &Topic, told: impl Fn(u64)) -> Result<Compared, TopicError> {
    topic.check().await?;
    let (heads, mut compared) = (log.heads().await?, Compared::default());
    for partition in Partition::all() {
        let reader = Reader { consumer: topic.reader()?, topic: topic.clone() };
        compare_one(log, reader, partition, &heads, &mut compared, &told).await?;
    }
    Ok(compared)
}

async fn compare_one(
    log: &LogStore,
    reader: Reader,
    partition: Partition,
    heads: &Heads,
    compared: &mut Compared,
    told: &impl Fn(u64),
) -> Result<(), TopicError> {
    let (number, mut last): (u16, Position) = (partition.number(), 0);
    let (mut reader, mut ahead, mut early) = (reader, None, 0);
    loop {
        let (next, records) = blocking(move || reader.page(number, ahead)).await?;
        (reader, ahead) = (next.0, next.1);
        let Some(records) = records else { break };
        let mut fresh: Vec<Recorded> = vec![];
        for record in records {
            compared.records += 1;
            match record {
                None => compared.strangers += 1,
                Some(event) if event.position == last + 1 => {
                    last = event.position;
                    fresh.push(event);
                }
                Some(event) => {
                    early = event.position.max(early);
                    compared.repeated += 1;
                }
            }
        }
        let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else { continue };
        let span = usize::try_from(last.position - first.position + 1).unwrap_or(usize::MAX).min(SPAN);
        let stored = log.read(partition, first.position - 1, span).await?;
        let stored: HashMap<Position, Recorded> = stored.into_iter().map(|event| (event.position, untraced(event))).collect();
        for event in &fresh {
            let place = format!("{number}.{}", event.position);
            match stored.get(&event.position) {
                Some(stored) if stored == event => {}
                Some(stored) if stored.event_id == event.event_id => {
                    compared.faults.push(format!("{place}: the record is not the same as the log's event"))
                }
                Some(stored) => {
                    compared.faults.push(format!("{place}: the topic has event {}, the log has {}", event.event_id, stored.event_id))
                }
                None if event.position > heads[partition.index()] => {}
                None => compared.faults.push(format!("{place}: the log has no such event")),
            }
        }
        told(fresh.len() as u64);
    }
    if early > last {
        compared.faults.push(format!("partition {number}: behind {last} comes {early} on the topic, and nothing that is between them"));
    }
    compared.behind += (heads[partition.index()] - last).max(0);
    Ok(())
}

impl Reader {
    /// The next records of a partition: events, or `None` for those that are none of ours. Ends where the partition ended when it was begun.
    #[expect(clippy::type_complexity, reason = "it is handed to a thread and back")]
    fn page(self, number: u16, at: Option<(i64, i64)>) -> Result<((Self, Option<(i64, i64)>), Option<Vec<Option<Recorded>>>), TopicError> {
        let away = |source| self.topic.away(source);
        let (mut next, high) = match at {
            Some(at) => at,
            None => {
                let (low, high) = self.consumer.fetch_watermarks(self.topic.name(), i32::from(number), ANSWER).map_err(away)?;
                let mut one = TopicPartitionList::new();
                one.add_partition_offset(self.topic.name(), i32::from(number), Offset::Offset(low)).map_err(away)?;
                self.consumer.assign(&one).map_err(away)?;
                (low, high)
            }
        };
        if next >= high {
            return Ok(((self, Some((next, high))), None));
        }
        let mut records = vec![];
        while next < high && records.len() < PAGE {
            let silence = || away(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            let record = self.consumer.poll(ANSWER).ok_or_else(silence)?.map_err(away)?;
            next = record.offset() + 1;
            records.push(envelope::event(&record).ok().map(|read| untraced(read.event)));
        }
        Ok(((self, Some((next, high))), Some(records)))
    }
}
