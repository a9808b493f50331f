//! Whoever is in the way, and wherever a process ends: nothing is lost, and nothing is done twice.

use std::{collections::BTreeMap, sync::Arc};

use event_log::Partition;
use events::likes::Reaction::{Dislike, Like};
use projector::{ParkingError, Step};

use super::doubles::{Flaw, Fragile};
use crate::{
    history::{
        Act::{Approve, DeleteAccount, React, SignUp},
        user,
    },
    polls::{dropped_after_each_poll, polled},
    rows::{Dump, dump},
    setup::{Tizza, drain, on_both},
    tally::tally,
};

fn partition() -> Partition {
    Partition::of(user(1).0)
}

/// All that is there.
async fn state(tizza: &Tizza) -> (Dump, usize, BTreeMap<String, bool>) {
    let mut parked = vec![];
    for projection in ["users", "pizzerias", "pizzas", "reactions", "tally"] {
        parked.extend(tizza.parked(projection).await);
    }
    (dump(&tizza.store).await, tally(&tizza.store).await, parked.into_iter().collect())
}

/// Something of everything, in one batch: read and unread, refused and folded, and one who leaves.
async fn eventful(tizza: &mut Tizza) -> Arc<Fragile> {
    let fragile = Fragile::new(Flaw::Refused, &[2]);
    tizza.replace(fragile.clone());
    tizza.happens(&[SignUp(1), React(1, 0, Some(Like)), React(1, 2, Some(Like)), React(1, 2, None)]).await;
    tizza.goes_wrong(React(1, 1, Some(Like))).await;
    tizza.happens(&[React(1, 1, Some(Dislike)), React(1, 2, Some(Dislike)), Approve(2)]).await;
    fragile
}

async fn a_fold_may_be_dropped_between_any_two_statements(mut tizza: Tizza) {
    eventful(&mut tizza).await;
    drain(&mut tizza.worker(partition())).await;
    tizza.goes_wrong(React(1, 3, Some(Like))).await;
    tizza.happens(&[DeleteAccount(1)]).await;
    tizza.clear().await;
    assert_eq!(drain(&mut tizza.worker(partition())).await, Step::Idle);
    let whole = state(&tizza).await;
    dropped_after_each_poll(async |polls| {
        tizza.clear().await;
        let done = polled(polls, drain(&mut tizza.worker(partition()))).await;
        assert_eq!(drain(&mut tizza.worker(partition())).await, Step::Idle);
        assert_eq!(state(&tizza).await, whole, "after {polls} polls");
        done.is_some()
    })
    .await;
}

async fn a_retry_may_be_dropped_between_any_two_statements(mut tizza: Tizza) {
    let fragile = eventful(&mut tizza).await;
    fragile.mend();
    drain(&mut tizza.worker(partition())).await;
    let whole = state(&tizza).await;
    dropped_after_each_poll(async |polls| {
        tizza.clear().await;
        fragile.set(Flaw::Refused);
        drain(&mut tizza.worker(partition())).await;
        let first = tizza.parked("reactions").await.swap_remove(0).0;
        fragile.mend();
        let done = polled(polls, tizza.retry(&first)).await;
        match tizza.retry(&first).await {
            // What a client was told is so.
            Ok(_) => assert!(done.is_none()),
            Err(error) => assert!(matches!(error, ParkingError::NotParked(_)), "{error}"),
        }
        assert_eq!(state(&tizza).await, whole, "after {polls} polls");
        done.is_some()
    })
    .await;
}

async fn a_skip_may_be_dropped_between_any_two_statements(mut tizza: Tizza) {
    eventful(&mut tizza).await;
    let mut whole = None;
    let mut skipped = async |polls: usize| {
        tizza.clear().await;
        tizza.sql("delete from skipped_events").await;
        drain(&mut tizza.worker(partition())).await;
        let first = tizza.parked("reactions").await.swap_remove(0).0;
        let done = polled(polls, tizza.skip(&first)).await;
        match tizza.skip(&first).await {
            Ok(_) => assert!(done.is_none()),
            Err(error) => assert!(matches!(error, ParkingError::NotParked(_)), "{error}"),
        }
        let now = state(&tizza).await;
        assert_eq!(&now, whole.get_or_insert(now.clone()), "after {polls} polls");
        done.is_some()
    };
    assert!(skipped(usize::MAX).await);
    dropped_after_each_poll(skipped).await;
}

async fn workers_and_operators_do_not_get_in_each_others_way(mut tizza: Tizza) {
    let (mut one, mut other) = (tizza.worker(partition()), tizza.worker(partition()));
    for round in 0..12 {
        let pizza = round % 6;
        tizza.goes_wrong(React(1, pizza, Some(Like))).await;
        tizza.happens(&[React(1, pizza, Some(Dislike))]).await;
        drain(&mut one).await;
        tizza.mend().await;
        let first = async |projection| tizza.parked(projection).await.swap_remove(0).0;
        let (reactions, tally) = (first("reactions").await, first("tally").await);
        tizza.happens(&[React(1, pizza, None), React(1, (pizza + 1) % 6, Some(Like)), React(1, pizza, Some(Like))]).await;
        let (.., once, twice, counted) =
            tokio::join!(drain(&mut one), drain(&mut other), tizza.retry(&reactions), tizza.retry(&reactions), tizza.retry(&tally));
        counted.unwrap();
        let folded = |retried: Result<projector::operations::Retried, ParkingError>| match retried {
            Ok(retried) => retried.folded,
            Err(error) => {
                assert!(matches!(error, ParkingError::NotParked(_)), "{error}");
                0
            }
        };
        assert!(folded(once) + folded(twice) >= 2);
        assert_eq!((drain(&mut one).await, drain(&mut other).await), (Step::Idle, Step::Idle));
        tizza.fold_all().await;
        assert!(state(&tizza).await.2.is_empty());
        tizza.assert_folded().await;
    }
}

on_both! {
    a_fold_may_be_dropped_between_any_two_statements,
    a_retry_may_be_dropped_between_any_two_statements,
    a_skip_may_be_dropped_between_any_two_statements,
    workers_and_operators_do_not_get_in_each_others_way,
}
