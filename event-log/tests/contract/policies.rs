//! What those who react to events must remember.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event_log::{EventLog, Partition};
use uuid::Uuid;

use crate::place::{Place, append, on_both, until};

on_both! {
    a_lease_has_one_owner_and_a_new_owner_a_new_epoch,
    of_two_processes_that_compete_for_a_lease_one_has_it,
    a_lease_that_has_run_out_is_anybody_s,
    a_policy_never_goes_back,
    what_a_policy_cannot_do_is_laid_aside_once,
}

const FIRST: Uuid = Uuid::from_u128(1);
const SECOND: Uuid = Uuid::from_u128(2);
const MINUTE: Duration = Duration::from_secs(60);

async fn a_lease_has_one_owner_and_a_new_owner_a_new_epoch(place: Place) {
    let [log, other] = place.logs().await;
    assert_eq!(log.lease("work", FIRST, MINUTE).await.unwrap(), Some(1));
    assert_eq!(other.lease("work", SECOND, MINUTE).await.unwrap(), None);
    assert_eq!(other.lease("play", SECOND, MINUTE).await.unwrap(), Some(1), "another one");
    assert_eq!(log.lease("work", FIRST, MINUTE).await.unwrap(), Some(1), "renewed");
    other.release(&["work".into()], SECOND).await.unwrap();
    assert_eq!(other.lease("work", SECOND, MINUTE).await.unwrap(), None, "a stranger releases nothing");
    log.release(&["work".into()], FIRST).await.unwrap();
    assert_eq!(other.lease("work", SECOND, MINUTE).await.unwrap(), Some(2));
    let sql = place.sql().await;
    assert_eq!(sql.count("select epoch from leases where name = 'work'").await, 2);
    assert_eq!(sql.count("select count(*) from leases").await, 2);
}

async fn of_two_processes_that_compete_for_a_lease_one_has_it(place: Place) {
    let logs: [EventLog; 2] = place.logs().await;
    for round in 1..=10 {
        let compete = |n: u128| {
            let log = &logs[n as usize % 2];
            async move { Some((log.lease("work", Uuid::from_u128(round << 8 | n), MINUTE).await.unwrap()?, n)) }
        };
        let winners: Vec<_> = futures::future::join_all((0..8).map(compete)).await.into_iter().flatten().collect();
        let [(epoch, winner)] = winners[..] else { panic!("{winners:?} have it") };
        assert_eq!(epoch, round as i64);
        logs[0].release(&["work".into()], Uuid::from_u128(round << 8 | winner)).await.unwrap();
    }
}

async fn a_lease_that_has_run_out_is_anybody_s(place: Place) {
    let [log, other] = place.logs().await;
    assert_eq!(log.lease("work", FIRST, Duration::from_millis(50)).await.unwrap(), Some(1));
    until("the lease runs out", async || other.lease("work", SECOND, MINUTE).await.unwrap() == Some(2)).await;
    assert_eq!(log.lease("work", FIRST, MINUTE).await.unwrap(), None, "whoever was late finds another owner");
}

async fn a_policy_never_goes_back(place: Place) {
    let [log, other] = place.logs().await;
    let [three, four] = [3, 4].map(|n| Partition::new(n).unwrap());
    assert_eq!(log.policy_position("closing", three).await.unwrap(), 0);
    log.policy_done("closing", three, 7).await.unwrap();
    other.policy_done("closing", three, 5).await.unwrap();
    assert_eq!(other.policy_position("closing", three).await.unwrap(), 7);
    assert_eq!(log.policy_position("closing", four).await.unwrap(), 0);
    assert_eq!(log.policy_position("opening", three).await.unwrap(), 0);
    assert_eq!(place.sql().await.count("select cast(sum(position) as bigint) from policy_checkpoints where policy = 'closing'").await, 7);
}

async fn what_a_policy_cannot_do_is_laid_aside_once(place: Place) {
    let [log, other] = place.logs().await;
    let wish = append(1, 0);
    log.append(wish.clone()).await.unwrap();
    let event = log.stream(wish.stream_id, 0).await.unwrap().remove(0);
    let at: DateTime<Utc> = DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap();
    log.policy_park("closing", &event, "it is closed", at).await.unwrap();
    other.policy_park("closing", &event, "again", Utc::now()).await.unwrap();
    let parked = other.policy_parked().await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].partition, parked[0].position, parked[0].parked_at), (wish.partition, 1, at));
    assert_eq!(place.sql().await.texts("select reason from policy_parked").await, ["it is closed"]);
}
