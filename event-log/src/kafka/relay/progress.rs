//! What has arrived: told to those who wait, measured, written down.

use metrics::gauge;

use super::{Relay, SILENCE, STORE};
use crate::{
    Heads, Partition,
    kafka::{
        TopicError,
        ports::{Broker, Ledger, Produce},
    },
};

impl<L: Ledger, B: Broker> Relay<L, B> {
    pub(super) fn arrivals(&self) -> Heads {
        self.producer.as_ref().map_or(self.stored, |producer| producer.arrivals().all())
    }

    pub(super) fn on_their_way(&self) -> i64 {
        let arrived = self.arrivals();
        self.lanes.iter().zip(arrived).filter_map(|(lane, arrived)| Some(lane.sent? - arrived)).sum()
    }

    /// What the topic is not known to hold.
    pub(super) fn behind<'a>(&'a self, heads: &'a Heads) -> impl Iterator<Item = Partition> + 'a {
        let known = self.known.heads();
        Partition::all().filter(move |partition| known[partition.index()] < heads[partition.index()])
    }

    pub(super) fn look_at_arrivals(&mut self, heads: &Heads) {
        let arrived = self.arrivals();
        let ours = |partition: usize| self.lanes[partition].sent.is_some();
        let known: Heads = std::array::from_fn(|p| if ours(p) { arrived[p].max(self.stored[p]) } else { self.stored[p] });
        let moved = self.known.tell(known);
        if moved || self.behind(heads).next().is_none() {
            self.moved_at = self.log.now();
            if std::mem::take(&mut self.told) {
                self.topic.let_in();
                tracing::info!(topic = self.topic.name(), "records arrive again");
            }
        } else if self.log.now() - self.moved_at > SILENCE {
            self.tell(&"records do not arrive");
        }
    }

    pub(super) fn measure(&self) {
        let connected = !self.told && self.producer.as_ref().is_some_and(|producer| producer.arrivals().is_connected());
        gauge!("tizza_kafka_connected", "client" => "relay").set(f64::from(u8::from(connected)));
    }

    pub(super) fn tell(&mut self, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(topic = self.topic.name(), servers = self.topic.servers(), %error, "Kafka is away; commands go on, events wait in the log");
        }
    }

    /// What has arrived here is written down: for who waits for it, and for other relays.
    pub(super) async fn write_down(&mut self) -> Result<(), TopicError> {
        let arrived = self.arrivals();
        let moved = |partition: &Partition| {
            let index = partition.index();
            self.lanes[index].sent.is_some() && arrived[index] > self.stored[index]
        };
        let moved: Vec<_> = Partition::all().filter(moved).map(|partition| (partition, arrived[partition.index()])).collect();
        if moved.is_empty() || (self.on_their_way() > 0 && self.log.now() - self.stored_at < STORE) {
            return Ok(());
        }
        self.log.store_relayed(self.topic.name(), &moved, false).await?;
        self.stored_at = self.log.now();
        for (partition, position) in moved {
            self.stored[partition.index()] = position;
        }
        Ok(())
    }
}
