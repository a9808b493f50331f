use std::{sync::Arc, time::Duration};

use event_log::{
    Recorded,
    kafka::{TopicSource, envelope},
};
use rdkafka::{
    message::OwnedHeaders,
    producer::{FutureProducer, FutureRecord},
};

use super::*;
use crate::place::on_both;

on_both! {
    who_follows_the_topic_sees_what_is_in_the_log_once_and_in_order,
    what_comes_twice_is_seen_once_a_gap_is_read_from_the_log_and_strangers_are_left_alone,
    members_of_a_group_share_the_partitions_and_take_over,
}

const SESSION: Duration = Duration::from_secs(6);

/// A member that follows, and folds everything at once.
struct Follower {
    source: TopicSource,
    seen: Arc<tokio::sync::Mutex<Vec<Recorded>>>,
    shutdown: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Follower {
    fn start(both: &Both, folded: Heads) -> Self {
        let source = TopicSource::new(both.log.clone(), both.topic.clone(), folded);
        let (seen, shutdown) = (Arc::<tokio::sync::Mutex<Vec<Recorded>>>::default(), CancellationToken::new());
        let running = {
            let (source, shutdown, group) = (source.clone(), shutdown.clone(), format!("g.{}", both.topic.name()));
            tokio::spawn(async move { source.run(&group, SESSION, shutdown).await.unwrap() })
        };
        let folding = {
            let (source, seen, shutdown) = (source.clone(), seen.clone(), shutdown.clone());
            tokio::spawn(async move {
                let (mut heads, mut at) = (source.heads(), folded);
                while !shutdown.is_cancelled() {
                    let known = *heads.borrow_and_update();
                    for partition in Partition::all() {
                        while at[partition.index()] < known[partition.index()] {
                            let events = source.read(partition, at[partition.index()], 100).await.unwrap();
                            at[partition.index()] = events.last().unwrap().position;
                            seen.lock().await.extend(events);
                            source.folded(partition, at[partition.index()]);
                        }
                    }
                    shutdown.run_until_cancelled(heads.changed()).await;
                }
            })
        };
        Self { source, seen, shutdown, tasks: vec![running, folding] }
    }

    async fn count(&self) -> usize {
        self.seen.lock().await.len()
    }

    async fn end(self) -> Vec<Recorded> {
        self.shutdown.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        std::mem::take(&mut *self.seen.lock().await)
    }
}

/// Everything that the log holds, in the order of partitions and positions.
async fn all(both: &Both) -> Vec<Recorded> {
    let mut events = vec![];
    for partition in Partition::all() {
        events.extend(both.log.read(partition, 0, 100_000).await.unwrap());
    }
    events
}

fn sorted(mut events: Vec<Recorded>) -> Vec<Recorded> {
    let is_in_order = Partition::all().all(|partition| events.iter().filter(|e| e.partition == partition).map(|e| e.position).is_sorted());
    assert!(is_in_order);
    events.sort_by_key(|event| (event.partition, event.position));
    events
}

async fn who_follows_the_topic_sees_what_is_in_the_log_once_and_in_order(place: Place) {
    let Some(both) = Both::new(place).await else { return };
    both.write(0, 200).await;
    both.drain(&mut both.relay()).await;
    let follower = Follower::start(&both, Heads::default());
    until("it has come", async || follower.count().await == 400).await;
    let relay = both.start();
    both.write(1_000, 100).await;
    until("what is new has come", async || follower.count().await == 600).await;
    let folded = both.heads();
    assert!(sorted(follower.end().await) == all(&both).await, "it has seen something else");

    // Who has folded something begins behind it.
    let later = Follower::start(&both, folded);
    both.write(2_000, 50).await;
    until("only what is new has come", async || later.count().await == 100).await;
    assert!(later.end().await.iter().all(|event| event.position > folded[event.partition.index()]));
    relay.ended().await;
}

async fn what_comes_twice_is_seen_once_a_gap_is_read_from_the_log_and_strangers_are_left_alone(place: Place) {
    let Some(both) = Both::new(place).await else { return };
    both.topic.ready(Some(MAKING)).await.unwrap();
    let stream = crate::place::stream_in(3, 0);
    for version in 0..6 {
        assert!(accepted(&both.log.append(append(stream, version)).await.unwrap()));
    }
    let events = all(&both).await;
    let producer: FutureProducer = both.topic.config().create().unwrap();
    let send = async |headers: OwnedHeaders, payload: &str| {
        let record = FutureRecord::<(), _>::to(both.topic.name()).partition(3).payload(payload).headers(headers);
        producer.send(record, DEADLINE).await.unwrap();
    };
    // 1 2 2 1, a stranger, 5: a gap, 3: late, 6.
    for position in [1, 2, 2, 1, 0, 5, 3, 6] {
        match events.iter().find(|event| event.position == position) {
            Some(event) => send(envelope::headers(event, 1, None), &event.payload).await,
            None => send(OwnedHeaders::new(), "what is this?").await,
        }
    }
    let follower = Follower::start(&both, Heads::default());
    until("all has come", async || follower.count().await >= 6).await;
    assert_eq!(follower.source.following().strangers, 1);
    assert_eq!(sorted(follower.end().await), events);
    let store = both.place.store().await;
    let compared = event_log::kafka::audit::compare(&store, &both.topic, |_| {}).await.unwrap();
    assert_eq!((compared.strangers, compared.repeated, compared.faults.len()), (1, 4, 1), "{compared:?}");
    assert!(compared.faults[0].contains("partition 3: behind 3 comes 6"), "{compared:?}");
}

async fn members_of_a_group_share_the_partitions_and_take_over(place: Place) {
    let Some(both) = Both::new(place).await else { return };
    both.write(0, 100).await;
    both.drain(&mut both.relay()).await;
    let relay = both.start();
    let first = Follower::start(&both, Heads::default());
    until("it has all partitions", async || first.source.following().partitions == 16).await;
    let second = Follower::start(&both, Heads::default());
    until("each has half of them", async || (first.source.following().partitions, second.source.following().partitions) == (8, 8)).await;
    both.write(1_000, 100).await;
    until("what is new has come to both", async || first.count().await + second.count().await >= 400).await;
    let seen = first.end().await;
    both.write(2_000, 100).await;
    until("one goes on alone", async || second.source.following().partitions == 16).await;
    let all = all(&both).await;
    // What the first one had folded, the second one sees again: it has nobody to ask.
    let together = |more: &[Recorded]| {
        let mut together = [&seen, more].concat();
        together.sort_by_key(|event| (event.partition, event.position));
        together.dedup();
        together
    };
    until("together they have all", async || together(&second.seen.lock().await).len() == all.len()).await;
    let together = together(&second.end().await);
    assert!(together == all, "they have seen something else");
    relay.ended().await;
}
