use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
};
use test_servers::Kafka;

use super::*;

/// A broker of one's own, and a log in a file: the faults are the broker's.
async fn own() -> Option<(Kafka, Both)> {
    let broker = Kafka::start().ok()?;
    let both = Both::at(Place::sqlite()?, &broker.bootstrap()).await;
    Some((broker, both))
}

async fn whole(both: &Both) -> Compared {
    until("all is relayed", async || both.backlog().await == 0).await;
    let compared = both.compared().await;
    assert_eq!(compared.behind, 0);
    compared
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_under_load_and_comes_back_has_everything() {
    let Some((mut broker, both)) = own().await else { return };
    let relay = both.start();
    both.write(0, 500).await;
    until("it is at work", async || both.backlog().await < 1_000).await;
    for round in 1..3_u128 {
        both.write(round * 10_000, 500).await;
        broker.signal("KILL");
        both.write(round * 10_000 + 5_000, 500).await;
        assert!(both.backlog().await > 0, "commands are answered all the while");
        broker.restart();
    }
    whole(&both).await;
    relay.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_frozen_raises_no_error_and_is_seen_by_what_waits_for_it() {
    let Some((broker, both)) = own().await else { return };
    let relay = both.start();
    both.write(0, 100).await;
    whole(&both).await;
    broker.signal("STOP");
    both.write(1_000, 100).await;
    until("the oldest waits for long", async || {
        let since = both.log.backlog(&both.topic).await.unwrap().since.expect("it waits");
        (chrono::Utc::now() - since).to_std().unwrap() > Duration::from_secs(6)
    })
    .await;
    broker.signal("CONT");
    whole(&both).await;
    relay.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_pile_up_while_the_broker_is_away_at_the_start() {
    let Some((mut broker, both)) = own().await else { return };
    broker.stop();
    let relay = both.start();
    for round in 0..10_u128 {
        let wish = |stream| event_log::Append { events: (0..50).map(|_| event("{}")).collect(), ..append(stream, 0) };
        assert!(outcomes(&both.log, (round * 100..(round + 1) * 100).map(wish)).await.iter().all(accepted));
    }
    assert_eq!(both.backlog().await, 50_000);
    broker.restart();
    assert_eq!(whole(&both).await.records, 50_000);
    relay.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_gone_in_the_middle_leaves_no_hole() {
    let Some(both) = Both::new(Place::sqlite().unwrap()).await else { return };
    for round in 0..4_u128 {
        both.write(round * 1_000, 500).await;
        // Gone with all that it had handed over: nothing is written down, no lease given back.
        let mut relay = both.relay();
        until("it has sent something", async || matches!(relay.step().await, Ok(Step::Worked))).await;
        drop(relay);
        both.place.sql().await.run("update leases set expires_at = 0").await;
    }
    both.drain(&mut both.relay()).await;
    let compared = both.compared().await;
    assert_eq!((compared.records - compared.repeated, compared.behind), (4_000, 0));
}

/// As a process that is stopped, and goes on when its lease is another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_slept_past_its_lease_sends_nothing_new() {
    let Some(both) = Both::new(Place::sqlite().unwrap()).await else { return };
    both.write(0, 200).await;
    let mut sleeper = both.relay();
    both.drain(&mut sleeper).await;
    both.write(1_000, 200).await;
    sleeper.step().await.unwrap();
    both.place.sql().await.run("update leases set expires_at = 0").await;
    let mut other = both.relay();
    both.write(2_000, 200).await;
    both.drain(&mut other).await;
    both.write(3_000, 200).await;
    // Its own clock may still let it send for a moment: it repeats, and leaves no hole.
    for _ in 0..20 {
        sleeper.step().await.unwrap();
    }
    both.drain(&mut other).await;
    let compared = both.compared().await;
    assert_eq!((compared.records - compared.repeated, compared.behind), (1_600, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_follows_a_record_that_the_broker_refuses_until_it_takes_it() {
    let Some(both) = Both::new(Place::sqlite().unwrap()).await else { return };
    let admin: AdminClient<DefaultClientContext> = both.topic.config().create().unwrap();
    let narrow = NewTopic::new(both.topic.name(), 16, TopicReplication::Fixed(1)).set("max.message.bytes", "600000");
    admin.create_topics([&narrow], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    // The client library sends the first three together, which is too much, and then the others, which is not.
    let long = format!(r#"{{"n":"{}"}}"#, "x".repeat(250_000));
    for version in 0..5 {
        let wish = event_log::Append { events: vec![event(&long)], ..append(1, version) };
        assert!(accepted(&both.log.append(wish).await.unwrap()));
    }
    let mut relay = both.relay();
    until("the broker has refused them", async || matches!(relay.step().await, Ok(Step::Blocked))).await;
    until("and again", async || matches!(relay.step().await, Ok(Step::Blocked))).await;
    assert_eq!(both.backlog().await, 5, "nothing is said to have arrived");
    let store = LogStore::open(&both.place.url, DEADLINE).await.unwrap();
    let compared = event_log::kafka::audit::compare(&store, &both.topic, |_| {}).await.unwrap();
    assert!(compared.records == 0 || compared.faults.len() == 1, "what went past them is found: {compared:?}");
    store.close().await;

    let wide = AlterConfig::new(ResourceSpecifier::Topic(both.topic.name())).set("max.message.bytes", "2000000");
    admin.alter_configs([&wide], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    both.drain(&mut relay).await;
    let compared = both.compared().await;
    assert_eq!((compared.records - compared.repeated, compared.behind), (5, 0), "in order, whatever went past them");
}
