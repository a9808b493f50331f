//! States that were decided and are on their way into the log. The next command on the same stream is decided on them, without waiting for
//! the disk: many commands on one stream then share a commit. The log refuses what was decided on a state that never came to be.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::Notify;
use uuid::Uuid;

use super::{Decider, Known};

/// The streams with appends that are not settled.
#[derive(Default)]
pub struct InFlight {
    streams: Mutex<HashMap<Uuid, Stream>>,
    settled: Notify,
}

#[derive(Default)]
struct Stream {
    appends: usize,
    /// What the last of them leads to, unless one has failed.
    newest: Option<(Arc<dyn Any + Send + Sync>, Uuid)>,
}

impl InFlight {
    fn streams(&self) -> MutexGuard<'_, HashMap<Uuid, Stream>> {
        self.streams.lock().expect("no panic while it is held")
    }

    /// The newest state of a stream, and the event that leads to it.
    pub(crate) fn newest<A: Decider>(&self, stream_id: Uuid) -> Option<(Known<A>, Uuid)> {
        let streams = self.streams();
        let (known, event_id) = streams.get(&stream_id)?.newest.as_ref()?;
        Some((known.downcast_ref::<Known<A>>()?.clone(), *event_id))
    }

    /// Remembers what an append leads to, until it is settled.
    pub(crate) fn put<A: Decider>(self: &Arc<Self>, stream_id: Uuid, known: Known<A>, event_id: Uuid) -> Flight {
        let mut streams = self.streams();
        let stream = streams.entry(stream_id).or_default();
        stream.appends += 1;
        stream.newest = Some((Arc::new(known), event_id));
        Flight { in_flight: self.clone(), stream_id, succeeded: false }
    }

    /// Waits until nothing of a stream is in flight. Only who has the stream's turn may wait: then nothing new is put.
    pub(crate) async fn landed(&self, stream_id: Uuid) {
        loop {
            let settled = self.settled.notified();
            if !self.streams().contains_key(&stream_id) {
                return;
            }
            settled.await;
        }
    }

    fn settle(&self, stream_id: Uuid, succeeded: bool) {
        let mut streams = self.streams();
        if let Some(stream) = streams.get_mut(&stream_id) {
            stream.appends -= 1;
            if !succeeded {
                stream.newest = None;
            }
            if stream.appends == 0 {
                streams.remove(&stream_id);
            }
        }
        self.settled.notify_waiters();
    }
}

/// An append in flight; dropped, it is settled, and has failed unless it was told otherwise.
pub struct Flight {
    in_flight: Arc<InFlight>,
    stream_id: Uuid,
    succeeded: bool,
}

impl Flight {
    pub(crate) fn succeeded(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.in_flight.settle(self.stream_id, self.succeeded);
    }
}
