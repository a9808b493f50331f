//! Who changed what; and where the log was at a time.

use chrono::{DateTime, TimeDelta, Utc};
use event_log::{Heads, Partition};
use serde_json::json;

use crate::place::{Place, append, on_both};

on_both! {
    what_operators_wanted_is_listed_newest_first,
    where_each_partition_was_at_a_time_is_found,
}

async fn what_operators_wanted_is_listed_newest_first(place: Place) {
    let log = place.log().await;
    assert_eq!(log.operator_actions(10).await.unwrap(), []);
    let began = Utc::now() - TimeDelta::milliseconds(1);
    for number in 0..3 {
        let address = (number == 0).then_some("192.0.2.7");
        log.note_operator_action("ada@kitchen", "rebuild", &json!({ "number": number }), address).await.unwrap();
    }
    let noted = log.operator_actions(2).await.unwrap();
    let numbers: Vec<_> = noted.iter().map(|action| action.details["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [2, 1]);
    let oldest = log.operator_actions(10).await.unwrap().pop().unwrap();
    assert_eq!(
        (oldest.operator.as_str(), oldest.action.as_str(), oldest.address.as_deref()),
        ("ada@kitchen", "rebuild", Some("192.0.2.7"))
    );
    assert!(began <= oldest.at && oldest.at <= noted[0].at && noted[0].at <= Utc::now());
}

async fn where_each_partition_was_at_a_time_is_found(place: Place) {
    let log = place.log().await;
    for number in 0..40 {
        log.append(append(number, 0)).await.unwrap();
    }
    let mut written: Vec<(Partition, DateTime<Utc>)> = vec![];
    for partition in Partition::all() {
        written.extend(log.read(partition, 0, 100).await.unwrap().iter().map(|event| (partition, event.recorded_at)));
    }
    assert!(written.len() >= 40);
    let counted = |time| {
        let mut heads = Heads::default();
        written.iter().filter(|(_, at)| *at < time).for_each(|(partition, _)| heads[partition.index()] += 1);
        heads
    };
    let ends = [DateTime::UNIX_EPOCH, Utc::now() + TimeDelta::days(1)];
    for time in written.iter().map(|(_, at)| *at).chain(ends) {
        assert_eq!(log.before(time).await.unwrap(), counted(time), "{time}");
    }
    assert_eq!(log.before(ends[1]).await.unwrap(), log.all_heads().await.unwrap());
}
