//! Workers between a real log and a real read store.

use event_log::Partition;
use events::{
    Pii, UserEvent,
    likes::Reaction::{Dislike, Like},
};
use projector::Step;

use crate::{
    history::{
        Act::{Approve, Close, Create, DeleteAccount, MakeSuperuser, React, SignUp, TakeOff, WithdrawApproval},
        happened, user,
    },
    model::Model,
    setup::{Tizza, drain, on_both},
};

async fn the_worker_folds_what_the_log_has_and_is_idle_then(mut tizza: Tizza) {
    tizza.happens(&[Approve(0), Approve(2), WithdrawApproval(2), MakeSuperuser(1), TakeOff(1), Close(1)]).await;
    tizza.happens(&[React(0, 2, Some(Dislike)), React(1, 0, Some(Like)), React(2, 0, Some(Like)), React(2, 0, None)]).await;
    tizza.happens(&[React(3, 0, Some(Like)), DeleteAccount(3)]).await;
    tizza.fold_all().await;
    tizza.assert_folded().await;
    for partition in Partition::all() {
        assert_eq!(tizza.behind(partition).await, [""; 0]);
        assert_eq!(tizza.worker(partition).step().await, Step::Idle);
    }
}

async fn of_two_workers_on_one_partition_one_writes_and_the_other_finds_out(mut tizza: Tizza) {
    let partition = Partition::of(user(0).0);
    let (mut one, mut other) = (tizza.worker(partition), tizza.worker(partition));
    tizza.happens(&[React(0, 0, Some(Like))]).await;
    tokio::join!(one.step(), other.step());
    for reaction in [Some(Dislike), Some(Like), None, Some(Like)] {
        // Both know the position of before.
        assert_eq!((drain(&mut one).await, drain(&mut other).await), (Step::Idle, Step::Idle));
        tizza.happens(&[React(0, 0, reaction), React(0, 1, reaction)]).await;
        assert_eq!((one.step().await, other.step().await), (Step::Folded, Step::Folded));
        tizza.assert_folded().await;
        std::mem::swap(&mut one, &mut other);
    }
    for reaction in [Some(Dislike), Some(Like), None, Some(Like)] {
        tizza.happens(&[React(0, 0, reaction), React(0, 1, reaction)]).await;
        tokio::join!(one.step(), other.step());
    }
    assert_eq!((drain(&mut one).await, drain(&mut other).await), (Step::Idle, Step::Idle));
    tizza.assert_folded().await;
    assert_eq!(tizza.behind(partition).await, [""; 0]);
}

async fn after_a_restart_folding_goes_on_where_the_rows_are(mut tizza: Tizza) {
    tizza.happens(&[React(1, 0, Some(Like)), React(2, 0, Some(Like)), React(3, 1, Some(Dislike))]).await;
    tizza.fold_all().await;
    let mut tizza = tizza.restarted().await;
    assert_eq!(tizza.worker(Partition::of(user(1).0)).step().await, Step::Idle);
    tizza.happens(&[React(1, 0, Some(Dislike)), React(0, 0, Some(Like)), DeleteAccount(2)]).await;
    tizza.fold_all().await;
    let tizza = tizza.restarted().await;
    tizza.fold_all().await;
    tizza.assert_folded().await;
}

async fn an_event_type_that_nobody_lists_is_passed_over(mut tizza: Tizza) {
    let partition = Partition::of(user(0).0);
    tizza.happens(&[SignUp(0)]).await;
    let mut burnt = happened(Create(5));
    burnt.subject = user(0).0;
    burnt.event.event_type = "PizzaBurnt";
    burnt.event.payload = "[]".into();
    tizza.append(&burnt).await;
    assert_eq!(drain(&mut tizza.worker(partition)).await, Step::Idle);
    assert_eq!(tizza.behind(partition).await, [""; 0]);
    tizza.happens(&[Create(0)]).await;
    assert_eq!(drain(&mut tizza.worker(partition)).await, Step::Idle);
    assert_eq!(tizza.behind(partition).await, [""; 0]);
    assert_eq!(Model::read(&tizza.store).await, Model::of(&tizza.history));
}

async fn erased_personal_values_make_no_row(tizza: Tizza) {
    let mut signed_up = happened(SignUp(0));
    let UserEvent::UserSignedUp { user_id, credential_id, email, first_name, last_name, .. } = decode(&signed_up.event.payload) else {
        panic!("another event")
    };
    let erased = UserEvent::UserSignedUp { user_id, credential_id, username: Pii::Shredded, email, first_name, last_name };
    signed_up.event.payload = events::Vocabulary::encode(&erased);
    assert!(signed_up.event.payload.contains(r#""username":{"$shredded":true}"#));
    let mut worker = tizza.worker(signed_up.partition());

    tizza.append(&signed_up).await;
    assert_eq!(drain(&mut worker).await, Step::Idle);
    assert_eq!(Model::read(&tizza.store).await, Model::default());
    let mut deleted = happened(DeleteAccount(0));
    deleted.version = 2;
    tizza.append(&deleted).await;
    assert_eq!(drain(&mut worker).await, Step::Idle);
    assert_eq!(Model::read(&tizza.store).await, Model::default());
    assert_eq!(tizza.behind(signed_up.partition()).await, [""; 0]);
}

fn decode(payload: &str) -> UserEvent {
    events::Vocabulary::decode("UserSignedUp", 1, payload).unwrap()
}

on_both! {
    the_worker_folds_what_the_log_has_and_is_idle_then,
    of_two_workers_on_one_partition_one_writes_and_the_other_finds_out,
    after_a_restart_folding_goes_on_where_the_rows_are,
    an_event_type_that_nobody_lists_is_passed_over,
    erased_personal_values_make_no_row,
}
