//! What becomes of a place, from its opening to its end.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use uuid::Uuid;

use super::*;

const TRATTORIA: PizzeriaId = PizzeriaId(Uuid::from_u128(1));
const ADA: UserId = UserId(Uuid::from_u128(2));
const CLOSURES: [PizzeriaClosure; 3] = [PizzeriaClosure::Owner, PizzeriaClosure::Staff, PizzeriaClosure::OwnerDeleted];

fn given(events: impl IntoIterator<Item = PizzeriaEvent>) -> AggregateTestExecutor<Pizzeria> {
    TestFramework::with(()).given(events.into_iter().collect())
}

fn after(events: impl IntoIterator<Item = PizzeriaEvent>) -> Pizzeria {
    events.into_iter().fold(Pizzeria::default(), |mut pizzeria, event| {
        pizzeria.apply(event);
        pizzeria
    })
}

fn open(name: &str, owned: usize) -> Command {
    Command::Open {
        pizzeria_id: TRATTORIA,
        owner_id: ADA,
        owned,
        name: Text::new(name).unwrap(),
        address: Text::new("Via Roma 1, Napoli").unwrap(),
        phone: Text::new("+39 081 1").unwrap(),
    }
}

fn opened(name: &str) -> PizzeriaEvent {
    PizzeriaOpened {
        pizzeria_id: TRATTORIA,
        owner_id: ADA,
        name: name.into(),
        address: String::from("Via Roma 1, Napoli").into(),
        phone: String::from("+39 081 1").into(),
    }
}

fn closed() -> PizzeriaEvent {
    PizzeriaClosed { reason: PizzeriaClosure::Owner }
}

fn link(present: bool) -> LinkChange {
    LinkChange { kind: OF_OWNER, key: ADA.0, present }
}

#[test]
fn a_place_is_opened() {
    given([]).when(open("Da Ada", 0)).then_expect_events(vec![opened("Da Ada")]);
}

#[test]
fn a_place_needs_no_name() {
    given([]).when(open("", 0)).then_expect_events(vec![opened("")]);
}

#[test]
fn the_last_place_that_an_owner_may_have_is_opened() {
    given([]).when(open("Da Ada", MAX_PER_OWNER - 1)).then_expect_events(vec![opened("Da Ada")]);
}

#[test]
fn one_place_more_than_an_owner_may_have_is_too_many() {
    given([]).when(open("Da Ada", MAX_PER_OWNER)).then_expect_error(Error::TooMany);
}

#[test]
fn an_id_is_used_once_even_if_its_place_is_gone() {
    given([opened("Da Ada")]).when(open("Da Ada", 1)).then_expect_error(Error::Exists);
    given([opened("Da Ada"), closed()]).when(open("Da Ada", 0)).then_expect_error(Error::Exists);
}

#[test]
fn a_place_is_closed_for_the_reason_given() {
    for reason in CLOSURES {
        given([opened("Da Ada")]).when(Command::Close { reason }).then_expect_events(vec![PizzeriaClosed { reason }]);
    }
}

#[test]
fn a_place_is_closed_once_and_the_first_reason_stays() {
    for reason in CLOSURES {
        given([opened("Da Ada"), closed()]).when(Command::Close { reason }).then_expect_events(vec![]);
    }
}

#[test]
fn a_place_that_was_never_opened_is_unknown() {
    given([]).when(Command::Close { reason: PizzeriaClosure::Owner }).then_expect_error(Error::Unknown);
}

#[test]
fn an_open_place_is_linked_to_its_owner() {
    assert_eq!(after([]).links(&opened("Da Ada")), [link(true)]);
}

#[test]
fn a_closed_place_is_no_longer_linked_to_its_owner() {
    assert_eq!(after([opened("Da Ada")]).links(&closed()), [link(false)]);
}
