//! The log on a topic of a real broker. Each log has a topic of its own.
//!
//! | module | what it is about |
//! | --- | --- |
//! | `relaying` | in order, none missing; shares; what is refused |
//! | `faults` | brokers that die, freeze, are away; relays that die |
//! | `following` | what those see who follow the topic |

mod faults;
mod following;
mod relaying;

use event_log::{
    EventLog, Heads, LogStore, Partition,
    kafka::{Known, Making, Relay, Topic, TopicError, audit::Compared, relay::Step},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::place::{DEADLINE, Place, accepted, append, event, outcomes, until};

const MAKING: Making = Making { replication: 1, min_insync: 1 };

/// A log and a topic for it.
struct Both {
    place: Place,
    log: EventLog,
    topic: Topic,
}

impl Both {
    async fn at(place: Place, servers: &str) -> Self {
        let log = place.log().await;
        let topic = Topic::new(servers, &format!("t{}", Uuid::new_v4().simple()), log.epochs());
        Self { place, log, topic }
    }

    /// `None`: there is no broker here, which was told loudly.
    async fn new(place: Place) -> Option<Self> {
        Some(Self::at(place, &test_servers::shared_broker().ok()?).await)
    }

    fn relay(&self) -> Relay {
        Relay::new(self.log.clone(), self.topic.clone(), Some(MAKING), Known::default())
    }

    /// Events in every partition, a few commands at once.
    async fn write(&self, from: u128, commands: u128) {
        let wish = |stream| event_log::Append { events: vec![event(r#"{"n":1}"#), event(r#"{"n":2}"#)], ..append(stream, 0) };
        assert!(outcomes(&self.log, (from..from + commands).map(wish)).await.iter().all(accepted));
    }

    /// Until the topic holds all that the log does.
    async fn drain(&self, relay: &mut Relay) {
        until("all is relayed", async || {
            // A topic that was made just now may have no leader yet.
            let step = relay.step().await;
            assert!(matches!(step, Ok(_) | Err(TopicError::Away { .. })), "{step:?}");
            matches!(step, Ok(Step::Idle)) && self.backlog().await == 0
        })
        .await;
    }

    async fn backlog(&self) -> i64 {
        self.log.backlog(&self.topic).await.unwrap().events
    }

    /// The topic beside the log: nothing is wrong with it.
    async fn compared(&self) -> Compared {
        let store = LogStore::open(&self.place.url, DEADLINE).await.unwrap();
        let compared = event_log::kafka::audit::compare(&store, &self.topic, |_| {}).await.unwrap();
        assert_eq!(compared.faults, Vec::<String>::new());
        store.close().await;
        compared
    }

    fn heads(&self) -> Heads {
        *self.log.heads().borrow()
    }

    /// A relay that goes on by itself.
    fn start(&self) -> Running {
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(self.relay().run(shutdown.clone()));
        Running { running, shutdown }
    }
}

struct Running {
    running: tokio::task::JoinHandle<Result<(), event_log::kafka::TopicError>>,
    shutdown: CancellationToken,
}

impl Running {
    async fn ended(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }
}

fn partitions() -> Vec<Partition> {
    Partition::all().collect()
}
