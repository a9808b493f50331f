//! A stream that is not what it was taken for is left alone.

use event_log::{Append, Outcome, Partition};
use uuid::Uuid;

use crate::place::{Place, accepted, append, on_both, outcomes};

on_both! {
    a_stream_keeps_its_kind_and_its_partition,
    of_those_who_make_one_stream_in_several_partitions_at_once_one_does,
}

fn elsewhere(wish: Append, by: u16) -> Append {
    let partition = Partition::new((wish.partition.number() + by) % 16).unwrap();
    Append { partition, ..wish }
}

async fn a_stream_keeps_its_kind_and_its_partition(place: Place) {
    let log = place.log().await;
    log.append(append(1, 0)).await.unwrap();
    let before = place.stored().await;
    for expected in [0, 1, 2] {
        for wish in [Append { kind: "other", ..append(1, expected) }, elsewhere(append(1, expected), 1), elsewhere(append(1, expected), 2)]
        {
            assert_eq!(log.append(wish).await.unwrap(), Outcome::AnotherStream);
        }
    }
    assert_eq!(place.stored().await, before, "nothing was written");
}

async fn of_those_who_make_one_stream_in_several_partitions_at_once_one_does(place: Place) {
    let [one, other] = place.logs().await;
    for stream in 0..20 {
        // An odd step is to the other writer's partitions.
        let wishes = |by: [u16; 3]| by.map(|by| elsewhere(append(stream, 0), by));
        let (these, those) = tokio::join!(outcomes(&one, wishes([0, 1, 2])), outcomes(&other, wishes([3, 4, 5])));
        let all = [these, those].concat();
        assert_eq!(all.iter().filter(|o| accepted(o)).count(), 1, "{all:?}");
        assert_eq!(all.iter().filter(|o| **o == Outcome::AnotherStream).count(), 5, "{all:?}");
        let stored = place.stored().await;
        let of_it: Vec<_> = stored.events.iter().filter(|row| row.stream_id == Uuid::from_u128(stream)).collect();
        assert_eq!(of_it.len(), 1);
        assert_eq!(stored.streams[&Uuid::from_u128(stream)].1, of_it[0].partition);
    }
}
