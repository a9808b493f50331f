use event_log::kafka::{TopicError, ports::agreed_ends};

use super::*;
use crate::place::on_both;

on_both! {
    what_is_appended_is_on_the_topic_in_order_and_none_is_missing,
    two_relays_share_the_partitions_and_one_takes_over_from_the_other,
    a_topic_that_is_missing_or_of_another_shape_is_named,
    a_topic_of_another_log_is_refused_and_after_a_restore_there_is_another_one,
    a_topic_that_has_lost_its_end_is_filled_up,
}

async fn what_is_appended_is_on_the_topic_in_order_and_none_is_missing(place: Place) {
    let Some(both) = Both::new(place).await else { return };
    let mut relay = both.relay();
    both.write(0, 100).await;
    both.drain(&mut relay).await;
    both.write(100, 100).await;
    both.drain(&mut relay).await;
    let compared = both.compared().await;
    assert_eq!((compared.records, compared.repeated, compared.strangers, compared.behind), (400, 0, 0, 0));
    let ends = agreed_ends(&both.topic, &both.log, partitions()).await.unwrap();
    assert!(partitions().iter().all(|partition| ends[partition].position == both.heads()[partition.index()]));
}

async fn two_relays_share_the_partitions_and_one_takes_over_from_the_other(place: Place) {
    let Some(both) = Both::new(place).await else { return };
    let (first, second) = (both.start(), both.start());
    let mut next = 0;
    let holders = format!(
        "select cast(count(distinct owner) as text) || ' ' || cast(coalesce(max(partitions), 0) as text) from (
         select owner, count(*) over (partition by owner) as partitions from leases
         where name like 'relay/{}/%' and name not like '%member%' and expires_at > 0) held",
        both.topic.name()
    );
    until("each has half of them", async || {
        both.write(next, 64).await;
        next += 64;
        both.place.sql().await.texts(&holders).await.first().is_some_and(|held| held == "2 8")
    })
    .await;
    first.ended().await;
    both.write(next, 64).await;
    until("the other one goes on alone", async || both.backlog().await == 0).await;
    second.ended().await;
    let compared = both.compared().await;
    assert_eq!(compared.behind, 0);
}

async fn a_topic_that_is_missing_or_of_another_shape_is_named(place: Place) {
    let Some(both) = Both::new(place).await else { return };
    both.write(0, 3).await;
    let mut relay = Relay::new(both.log.clone(), both.topic.clone(), None, Known::default());
    let error = relay.step().await.unwrap_err();
    assert!(matches!(error, TopicError::Missing(_)) && error.to_string().contains("--create-topic"), "{error}");
    both.drain(&mut both.relay()).await;
    relay.step().await.unwrap();

    let nobody = Topic::new("127.0.0.1:1", "t", both.log.epochs());
    assert!(matches!(nobody.check().await, Err(TopicError::Away { .. })));
}

async fn a_topic_of_another_log_is_refused_and_after_a_restore_there_is_another_one(place: Place) {
    let another = place.another();
    let Some(both) = Both::new(place).await else { return };
    both.write(0, 40).await;
    both.drain(&mut both.relay()).await;

    let other = Both { log: another.log().await, place: another, topic: both.topic.clone() };
    other.write(1_000, 20).await;
    let error = other.relay().step().await.unwrap_err();
    assert!(matches!(error, TopicError::Disagrees { .. }) && error.to_string().contains("new-epoch"), "{error}");
    assert_eq!(both.compared().await.records, 80, "nothing was added");

    other.place.store().await.new_epoch().await.unwrap();
    let log = other.place.log().await;
    let topic = Topic::new(both.topic.servers(), both.topic.name(), log.epochs());
    assert_ne!(topic.name(), both.topic.name());
    let anew = Both { place: other.place, log, topic };
    anew.drain(&mut anew.relay()).await;
    assert_eq!(anew.compared().await.records, 40, "all of the log");
}

async fn a_topic_that_has_lost_its_end_is_filled_up(place: Place) {
    let Some(both) = Both::new(place).await else { return };
    both.write(0, 30).await;
    // Written down, but not there: as if the broker had lost what it had promised.
    both.place
        .sql()
        .await
        .run(&format!("insert into relay_positions select '{}', partition, position from heads", both.topic.name()))
        .await;
    assert_eq!(both.backlog().await, 0);
    both.write(30, 30).await;
    both.drain(&mut both.relay()).await;
    let compared = both.compared().await;
    assert_eq!((compared.records, compared.behind), (120, 0));
}
