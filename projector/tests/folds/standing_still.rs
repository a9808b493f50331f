//! What a projection does that cannot read an event, and what the others do.

use std::time::Duration;

use event_log::{Partition, Position};
use events::likes::Reaction::{Dislike, Like};
use projector::{Step, worker};
use read_store::views;
use tokio_util::sync::CancellationToken;

use crate::{
    history::{
        Act::{Approve, Close, Create, DeleteAccount, React, SignUp},
        happened, user,
    },
    setup::{Tizza, drain, on_both},
};

/// A like by user 1 that nobody can read, after one that everybody can.
async fn broken_like(tizza: &mut Tizza) -> Position {
    tizza.happens(&[Create(1), React(1, 0, Some(Like))]).await;
    let mut broken = happened(React(1, 1, Some(Like)));
    broken.event.payload = "{}".into();
    tizza.append(&broken).await
}

async fn a_projection_that_cannot_read_an_event_stands_still_and_the_others_go_on(mut tizza: Tizza) {
    let broken = broken_like(&mut tizza).await;
    let partition = Partition::of(user(1).0);
    let mut worker = tizza.worker(partition);
    for acts in [[Create(2), React(1, 2, Some(Dislike))], [Approve(2), Close(1)], [SignUp(1), DeleteAccount(1)]] {
        tizza.happens(&acts).await;
        assert_eq!(drain(&mut worker).await, Step::Blocked);
        assert_eq!(tizza.behind(partition).await, ["reactions"]);
        assert!(tizza.positions(partition).await.1["reactions"] < broken);
    }
    let elsewhere = Partition::of(user(0).0);
    tizza.happens(&[React(0, 0, Some(Like))]).await;
    assert_eq!(drain(&mut tizza.worker(elsewhere)).await, Step::Idle);
    assert_eq!(tizza.behind(elsewhere).await, [""; 0]);
}

/// Then it is behind the others, and is tried before they are.
async fn the_others_go_on_also_after_a_restart(mut tizza: Tizza) {
    let broken = broken_like(&mut tizza).await;
    let partition = Partition::of(user(1).0);
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
    assert_eq!(tizza.behind(partition).await, ["reactions"]);
    assert!(tizza.positions(partition).await.1["reactions"] < broken);
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
    assert_eq!(tizza.behind(partition).await, ["pizzas"]);
    assert!(tizza.positions(partition).await.1["pizzas"] < position);
}

on_both! {
    a_projection_that_cannot_read_an_event_stands_still_and_the_others_go_on,
    the_others_go_on_also_after_a_restart,
    an_event_of_a_newer_schema_version_stops_only_the_projections_that_list_it,
}
