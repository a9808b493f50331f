//! What becomes of a pizza, from the card to off the card.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use uuid::Uuid;

use super::*;

const MARGHERITA: PizzaId = PizzaId(Uuid::from_u128(1));
const TRATTORIA: PizzeriaId = PizzeriaId(Uuid::from_u128(2));
const DELETIONS: [PizzaDeletion; 3] = [PizzaDeletion::Owner, PizzaDeletion::Staff, PizzaDeletion::PizzeriaClosed];

fn given(events: impl IntoIterator<Item = PizzaEvent>) -> AggregateTestExecutor<Pizza> {
    TestFramework::with(()).given(events.into_iter().collect())
}

fn after(events: impl IntoIterator<Item = PizzaEvent>) -> Pizza {
    events.into_iter().fold(Pizza::default(), |mut pizza, event| {
        pizza.apply(event);
        pizza
    })
}

/// With all that may be told of it, or with no more than must be.
fn margherita(in_full: bool) -> NewPizza {
    NewPizza {
        pizza_id: MARGHERITA,
        pizzeria_id: TRATTORIA,
        title: "Margherita".into(),
        description: "Tomatoes, mozzarella, basil".into(),
        thumbnail_url: in_full.then(|| "https://example.org/margherita.jpg".into()),
        diet: in_full.then_some(Diet::Vegetarian),
    }
}

fn create(approve: bool) -> Command {
    Command::Create { pizza: margherita(true), approve }
}

fn withdraw_approval() -> Command {
    Command::WithdrawApproval { reason: Some("burnt".into()) }
}

fn delete() -> Command {
    Command::Delete { pizza_id: MARGHERITA, reason: PizzaDeletion::Owner }
}

fn presented(pizza: NewPizza) -> PizzaEvent {
    let NewPizza { pizza_id, pizzeria_id, title, description, thumbnail_url, diet } = pizza;
    PizzaCreated { pizza_id, pizzeria_id, title, description, thumbnail_url, diet }
}

fn created() -> PizzaEvent {
    presented(margherita(true))
}

fn approval_withdrawn() -> PizzaEvent {
    PizzaApprovalWithdrawn { reason: Some("burnt".into()) }
}

fn deleted() -> PizzaEvent {
    PizzaDeleted { pizza_id: MARGHERITA, reason: PizzaDeletion::Owner }
}

fn link(present: bool) -> LinkChange {
    LinkChange { kind: OF_PIZZERIA, key: TRATTORIA.0, present }
}

#[test]
fn a_new_pizza_waits_for_approval() {
    given([]).when(create(false)).then_expect_events(vec![created()]);
}

#[test]
fn a_new_pizza_is_approved_at_once_where_none_has_to_wait() {
    given([]).when(create(true)).then_expect_events(vec![created(), PizzaApproved {}]);
}

#[test]
fn a_pizza_needs_neither_a_picture_nor_a_diet() {
    let plain = Command::Create { pizza: margherita(false), approve: false };
    given([]).when(plain).then_expect_events(vec![presented(margherita(false))]);
}

#[test]
fn an_id_is_used_once_even_if_its_pizza_is_gone() {
    given([created()]).when(create(true)).then_expect_error(Error::Exists);
    given([created(), deleted()]).when(create(true)).then_expect_error(Error::Exists);
}

#[test]
fn a_waiting_pizza_is_approved() {
    given([created()]).when(Command::Approve).then_expect_events(vec![PizzaApproved {}]);
}

#[test]
fn a_pizza_is_approved_once() {
    given([created(), PizzaApproved {}]).when(Command::Approve).then_expect_events(vec![]);
}

#[test]
fn an_approval_is_withdrawn_with_its_reason() {
    given([created(), PizzaApproved {}]).when(withdraw_approval()).then_expect_events(vec![approval_withdrawn()]);
}

#[test]
fn an_approval_is_withdrawn_without_a_reason() {
    let withdraw = Command::WithdrawApproval { reason: None };
    given([created(), PizzaApproved {}]).when(withdraw).then_expect_events(vec![PizzaApprovalWithdrawn { reason: None }]);
}

#[test]
fn an_approval_is_withdrawn_once() {
    given([created(), PizzaApproved {}, approval_withdrawn()]).when(withdraw_approval()).then_expect_events(vec![]);
}

#[test]
fn a_waiting_pizza_has_no_approval_to_withdraw() {
    given([created()]).when(withdraw_approval()).then_expect_events(vec![]);
}

#[test]
fn a_withdrawn_approval_can_be_given_again() {
    given([created(), PizzaApproved {}, approval_withdrawn()]).when(Command::Approve).then_expect_events(vec![PizzaApproved {}]);
}

#[test]
fn a_pizza_is_deleted_for_the_reason_given() {
    for reason in DELETIONS {
        let delete = Command::Delete { pizza_id: MARGHERITA, reason };
        given([created()]).when(delete).then_expect_events(vec![PizzaDeleted { pizza_id: MARGHERITA, reason }]);
    }
}

#[test]
fn an_approved_pizza_is_deleted_like_a_waiting_one() {
    given([created(), PizzaApproved {}]).when(delete()).then_expect_events(vec![deleted()]);
}

#[test]
fn a_pizza_is_deleted_once_and_the_first_reason_stays() {
    for reason in DELETIONS {
        given([created(), deleted()]).when(Command::Delete { pizza_id: MARGHERITA, reason }).then_expect_events(vec![]);
    }
}

#[test]
fn a_pizza_off_the_card_is_not_judged() {
    for judgement in [Command::Approve, withdraw_approval()] {
        given([created(), deleted()]).when(judgement).then_expect_error(Error::Deleted);
    }
}

#[test]
fn a_pizza_that_was_never_on_a_card_is_unknown() {
    for command in [Command::Approve, withdraw_approval(), delete()] {
        given([]).when(command).then_expect_error(Error::Unknown);
    }
}

#[test]
fn a_new_pizza_is_linked_to_its_pizzeria() {
    assert_eq!(after([]).links(&created()), [link(true)]);
}

#[test]
fn a_deleted_pizza_is_no_longer_linked_to_its_pizzeria() {
    assert_eq!(after([created()]).links(&deleted()), [link(false)]);
    assert_eq!(after([created(), PizzaApproved {}]).links(&deleted()), [link(false)]);
}

#[test]
fn approvals_change_no_links() {
    for judgement in [PizzaApproved {}, approval_withdrawn()] {
        assert_eq!(after([created()]).links(&judgement), []);
    }
}
