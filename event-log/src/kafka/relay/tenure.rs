//! Where the topic ends when we begin: it says so itself.

use super::Relay;
use crate::{
    Partition,
    kafka::{
        TopicError,
        ports::{Broker, Ledger, Produce, agreed_ends},
    },
};

impl<L: Ledger, B: Broker> Relay<L, B> {
    /// Once for each producer: whether the topic is one of this log, and holds what it is known to hold. Brokers may have lost it, or somebody has made the topic anew.
    pub(super) async fn examine(&mut self) -> Result<(), TopicError> {
        if self.examined {
            return Ok(());
        }
        self.topic.ready(self.making).await?;
        let stored = self.log.relayed(self.topic.name()).await?;
        let ends = agreed_ends(&self.topic, &self.log, Partition::all().collect()).await?;
        let end = |partition: Partition| ends.get(&partition).map_or(0, |end| end.position);
        let lost: Vec<_> = Partition::all().map(|p| (p, end(p))).filter(|(p, end)| *end < stored[p.index()]).collect();
        if !lost.is_empty() {
            tracing::warn!(partitions = lost.len(), topic = self.topic.name(), "the topic has lost events; they are sent again");
            self.log.store_relayed(self.topic.name(), &lost, true).await?;
        }
        self.stored = self.log.relayed(self.topic.name()).await?;
        self.producer = Some(self.topic.producer(self.stored, self.changed.clone())?);
        self.examined = true;
        Ok(())
    }

    /// Where the partitions end that have become ours.
    pub(super) async fn look_at_topic(&mut self) -> Result<(), TopicError> {
        let new = |partition: &Partition| self.is_ours(*partition) && self.lanes[partition.index()].sent.is_none();
        let new: Vec<_> = Partition::all().filter(new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let ends = agreed_ends(&self.topic, &self.log, new.clone()).await?;
        // What is written down has arrived without a gap; behind it a record may have been refused, and later ones not.
        let begin = |p: &Partition| ends.get(p).map_or(0, |end| end.position.min(self.stored[p.index()]));
        let positions: Vec<_> = new.iter().map(|p| (*p, begin(p))).collect();
        self.log.store_relayed(self.topic.name(), &positions, true).await?;
        for (partition, position) in positions {
            self.stored[partition.index()] = position;
            self.lanes[partition.index()].sent = Some(position);
            if let Some(producer) = &self.producer {
                producer.arrivals().begin(partition.index(), position);
            }
        }
        Ok(())
    }
}
