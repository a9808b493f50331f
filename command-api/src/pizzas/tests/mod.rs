//! What becomes of a pizza, from the card to off the card.

mod approval;
mod changes;

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
        pizza.evolve(event);
        pizza
    })
}

/// With all that may be told of it.
fn margherita() -> Details {
    Details {
        title: "Margherita".into(),
        description: "Tomatoes, mozzarella, basil".into(),
        thumbnail_url: Some("https://example.org/margherita.jpg".into()),
        diet: Some(Diet::Vegetarian),
    }
}

/// With no more than must be told of it.
fn plain() -> Details {
    Details { thumbnail_url: None, diet: None, ..margherita() }
}

fn put(details: Details, approve: bool) -> Command {
    Command::Put { pizza_id: MARGHERITA, pizzeria_id: TRATTORIA, details, approve }
}

fn withdraw_approval() -> Command {
    Command::WithdrawApproval { reason: Some("burnt".into()) }
}

fn delete() -> Command {
    Command::Delete { pizza_id: MARGHERITA, reason: PizzaDeletion::Owner }
}

fn presented(details: Details) -> PizzaEvent {
    let Details { title, description, thumbnail_url, diet } = details;
    PizzaCreated { pizza_id: MARGHERITA, pizzeria_id: TRATTORIA, title, description, thumbnail_url, diet }
}

fn created() -> PizzaEvent {
    presented(margherita())
}

fn retitled(title: &str) -> DetailsChange {
    DetailsChange { title: Some(title.into()), ..DetailsChange::default() }
}

fn changed(DetailsChange { title, description, thumbnail_url, diet }: DetailsChange) -> PizzaEvent {
    PizzaChanged { title, description, thumbnail_url, diet }
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
    given([]).when(put(margherita(), false)).then_expect_events(vec![created()]);
}

#[test]
fn a_new_pizza_is_approved_at_once_where_none_has_to_wait() {
    given([]).when(put(margherita(), true)).then_expect_events(vec![created(), PizzaApproved {}]);
}

#[test]
fn a_pizza_needs_neither_a_picture_nor_a_diet() {
    given([]).when(put(plain(), false)).then_expect_events(vec![presented(plain())]);
}

#[test]
fn a_pizza_is_put_on_the_card_once() {
    given([created()]).when(put(margherita(), false)).then_expect_events(vec![]);
    given([created(), PizzaApproved {}]).when(put(margherita(), true)).then_expect_events(vec![]);
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
fn a_pizza_off_the_card_is_neither_put_back_nor_changed_nor_judged() {
    for command in [put(margherita(), true), Command::Change(retitled("Bufala")), Command::Approve, withdraw_approval()] {
        given([created(), deleted()]).when(command).then_expect_error(Error::Deleted);
    }
}

#[test]
fn a_pizza_that_was_never_on_a_card_is_unknown() {
    for command in [Command::Change(retitled("Bufala")), Command::Approve, withdraw_approval(), delete()] {
        given([]).when(command).then_expect_error(Error::Unknown);
    }
}

#[test]
fn a_new_pizza_is_linked_to_its_pizzeria() {
    assert_eq!(after([]).links(&created()), [link(true)]);
}

#[test]
fn a_deleted_pizza_is_no_longer_linked_to_its_pizzeria() {
    for before in [vec![created()], vec![created(), PizzaApproved {}], vec![created(), changed(retitled("Bufala"))]] {
        assert_eq!(after(before).links(&deleted()), [link(false)]);
    }
}

#[test]
fn changes_and_approvals_change_no_links() {
    for event in [changed(retitled("Bufala")), PizzaApproved {}, approval_withdrawn()] {
        assert_eq!(after([created()]).links(&event), []);
    }
}
