//! What cannot be folded is parked, its stream behind it, and the rest goes on.

use std::{sync::atomic::Ordering, time::Duration};

use event_log::{Partition, Position};
use events::likes::Reaction::{Dislike, Like};
use projector::{Step, parking, worker};
use read_store::views;
use tokio_util::sync::CancellationToken;

use super::doubles::{Flaw, Fragile, Nervous};
use crate::{
    history::{
        Act::{Approve, Create, DeleteAccount, React, SignUp},
        happened, user,
    },
    model::Model,
    setup::{Tizza, drain, on_both},
};

/// User 1's partition.
fn partition() -> Partition {
    Partition::of(user(1).0)
}

/// As they are told: all with a place in user 1's partition; the first one is to blame.
fn ids(projection: &str, positions: &[Position]) -> Vec<(String, bool)> {
    let id = |position| format!("{projection}.1.{}.{position}", partition().number());
    positions.iter().enumerate().map(|(i, position)| (id(position), i == 0)).collect()
}

async fn what_cannot_be_read_is_parked_its_stream_behind_it_and_all_else_is_folded(mut tizza: Tizza) {
    let broken = tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.happens(&[React(1, 1, Some(Like)), React(1, 0, Some(Dislike)), React(1, 1, Some(Dislike))]).await;
    let mut worker = tizza.worker(partition());
    assert_eq!(drain(&mut worker).await, Step::Idle);
    assert_eq!(tizza.behind(partition()).await, [""; 0]);
    assert_eq!(tizza.parked("reactions").await, ids("reactions", &[broken, broken + 2]));
    assert_eq!(tizza.parked("pizzas").await, []);

    // In a batch of its own, and after a restart.
    tizza.happens(&[React(1, 0, None)]).await;
    assert_eq!(drain(&mut worker).await, Step::Idle);
    let mut tizza = tizza.restarted().await;
    tizza.happens(&[React(1, 0, Some(Like)), React(1, 1, None)]).await;
    tizza.fold_all().await;
    let behind = [broken, broken + 2, broken + 4, broken + 5];
    assert_eq!(tizza.parked("reactions").await, ids("reactions", &behind));
    assert_eq!(tizza.store.parked_counts().await.unwrap().into_iter().find(|(name, _)| name == "reactions").unwrap().1, 4);
    assert_eq!(tizza.behind(partition()).await, [""; 0]);

    tizza.history.acts.retain(|act| !matches!(act, React(1, 0, _)));
    tizza.history.events.retain(|event| event.stream_id != happened(React(1, 0, None)).stream_id);
    assert_eq!(Model::read(&tizza.store).await, Model::of(&tizza.history));
}

async fn what_is_told_of_a_parked_event_has_no_word_of_it(mut tizza: Tizza) {
    tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.fold_all().await;
    let (parked, _) = parking::list(&tizza.store, None, 10).await.unwrap();
    assert!(parked.iter().any(|parked| parked.projection == "reactions"));
    for parked in parked {
        let reason = parked.reason.unwrap();
        assert!(reason.starts_with("the payload of PizzaLiked cannot be read: "), "{reason}");
        assert!(!reason.contains("Ada"), "{reason}");
    }
}

async fn an_event_of_a_newer_schema_version_stops_only_the_projections_that_list_it(mut tizza: Tizza) {
    let partition = Partition::of(user(0).0);
    tizza.happens(&[Create(0)]).await;
    let mut newer = happened(Create(1));
    newer.event.schema_version = 99;
    let position = tizza.append(&newer).await;
    tizza.happens(&[React(0, 0, Some(Like)), Approve(0)]).await;
    let mut worker = tizza.worker(partition);
    assert_eq!(drain(&mut worker).await, Step::Blocked);
    // The tally lists everything.
    assert_eq!(tizza.behind(partition).await, ["pizzas", "tally"]);
    assert_eq!(tizza.positions(partition).await.1["pizzas"], position - 1);
    assert_eq!(tizza.parked("pizzas").await, []);
}

/// Then it is behind the others, and is tried before they are.
async fn the_others_go_on_also_after_a_restart_where_one_stands_still(mut tizza: Tizza) {
    let partition = partition();
    tizza.happens(&[SignUp(1), Create(1)]).await;
    let mut newer = happened(React(1, 1, Some(Like)));
    newer.event.schema_version = 99;
    tizza.append(&newer).await;
    assert_eq!(drain(&mut tizza.worker(partition)).await, Step::Blocked);
    tizza.happens(&[Create(2)]).await;

    let tizza = tizza.restarted().await;
    let live = tizza.store.live().await.unwrap();
    let others = [&views::USERS, &views::PIZZERIAS, &views::PIZZAS];
    let head = [(partition.number(), tizza.log.head(partition).await.unwrap())];
    tokio::select! {
        told = tizza.store.wait(&live, &others, &head, Duration::from_secs(5)) => told.unwrap(),
        () = worker::run(tizza.worker(partition), CancellationToken::new()) => unreachable!(),
    }
    assert_eq!(tizza.behind(partition).await, ["reactions", "tally"]);
}

async fn the_deletion_of_a_user_discards_what_is_parked_of_them_and_is_folded(mut tizza: Tizza) {
    tizza.goes_wrong(SignUp(1)).await;
    tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.happens(&[React(1, 0, Some(Dislike)), React(1, 1, Some(Like))]).await;
    let mut worker = tizza.worker(partition());
    assert_eq!(drain(&mut worker).await, Step::Idle);
    assert_eq!(tizza.parked("users").await.len(), 1);
    assert_eq!(tizza.parked("reactions").await.len(), 2);

    // One more in the same batch.
    tizza.goes_wrong(React(1, 1, None)).await;
    tizza.happens(&[DeleteAccount(1)]).await;
    assert_eq!(drain(&mut worker).await, Step::Idle);
    assert_eq!(parking::list(&tizza.store, None, 10).await.unwrap(), (vec![], 0));
    assert!(tizza.store.parked_counts().await.unwrap().iter().all(|(_, parked)| *parked == 0));
    let live = tizza.store.live().await.unwrap();
    for table in ["users", "reactions", "place_likes"] {
        let left = crate::rows::dump(&tizza.store).await[table]
            .iter()
            .filter(|row| row.to_string().contains(&user(1).0.simple().to_string()))
            .count();
        assert_eq!(left, 0, "{table} of {live:?}");
    }
}

async fn a_fold_that_panics_with_an_event_parks_it_and_nobody_else_notices(mut tizza: Tizza) {
    tizza.add(projector::projection::of::<Nervous>()).await;
    let partition = Partition::of(user(0).0);
    tizza.happens(&[React(0, 0, Some(Like)), React(0, 1, Some(Like)), React(0, 2, Some(Like)), React(0, 1, None)]).await;
    assert_eq!(drain(&mut tizza.worker(partition)).await, Step::Idle);
    assert_eq!(tizza.behind(partition).await, [""; 0]);
    let parked: Vec<_> = tizza.parked("nervous").await.into_iter().map(|(_, is_to_blame)| is_to_blame).collect();
    assert_eq!(parked, [true, true, false]);
    let reasons = parking::list(&tizza.store, None, 10).await.unwrap().0.into_iter().filter_map(|parked| parked.reason);
    assert_eq!(reasons.collect::<Vec<_>>(), ["the fold panics"; 2]);
    tizza.fold_all().await;
    tizza.assert_folded().await;
}

async fn which_event_makes_a_fold_panic_is_found_out(tizza: Tizza) {
    found_out(tizza, Flaw::Panic, "the fold panics").await;
}

async fn which_event_makes_rows_that_the_database_refuses_is_found_out(tizza: Tizza) {
    let code = tizza.store.database.reader.pick("1299", "23502");
    found_out(tizza, Flaw::Refused, &format!("the database refuses its rows ({code})")).await;
}

async fn found_out(mut tizza: Tizza, flaw: Flaw, reason: &str) {
    let fragile = Fragile::new(flaw, &[2, 5]);
    tizza.replace(fragile.clone());
    tizza.happens(&[React(1, 0, Some(Like)), React(1, 2, Some(Like)), React(1, 3, Some(Like)), React(1, 2, None)]).await;
    tizza.happens(&[React(1, 5, Some(Like)), React(1, 4, Some(Like)), React(1, 5, None)]).await;
    let mut worker = tizza.worker(partition());
    assert_eq!(drain(&mut worker).await, Step::Idle);
    assert_eq!(tizza.behind(partition()).await, [""; 0]);
    let (parked, _) = parking::list(&tizza.store, Some("reactions"), 10).await.unwrap();
    let reasons: Vec<_> = parked.iter().map(|parked| parked.reason.as_deref()).collect();
    assert_eq!(reasons, [Some(reason), None, Some(reason), None]);
    assert!(fragile.failed.load(Ordering::Relaxed) < 20);

    // With one mended fold all is as if it had never been broken.
    fragile.mend();
    for parked in parked.iter().filter(|parked| parked.reason.is_some()) {
        assert_eq!(tizza.retry(&parked.id).await.unwrap().folded, 2);
    }
    tizza.fold_all().await;
    tizza.assert_folded().await;
}

on_both! {
    what_cannot_be_read_is_parked_its_stream_behind_it_and_all_else_is_folded,
    what_is_told_of_a_parked_event_has_no_word_of_it,
    an_event_of_a_newer_schema_version_stops_only_the_projections_that_list_it,
    the_others_go_on_also_after_a_restart_where_one_stands_still,
    the_deletion_of_a_user_discards_what_is_parked_of_them_and_is_folded,
    a_fold_that_panics_with_an_event_parks_it_and_nobody_else_notices,
    which_event_makes_a_fold_panic_is_found_out,
    which_event_makes_rows_that_the_database_refuses_is_found_out,
}
