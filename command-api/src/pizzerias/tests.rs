//! What becomes of a place, from its opening to its end.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use uuid::Uuid;

use super::*;

const TRATTORIA: PizzeriaId = PizzeriaId(Uuid::from_u128(1));
const ADA: UserId = UserId(Uuid::from_u128(2));
const GRACE: UserId = UserId(Uuid::from_u128(3));
const CLOSURES: [PizzeriaClosure; 3] = [PizzeriaClosure::Owner, PizzeriaClosure::Staff, PizzeriaClosure::OwnerDeleted];

fn given(events: impl IntoIterator<Item = PizzeriaEvent>) -> AggregateTestExecutor<Pizzeria> {
    TestFramework::with(()).given(events.into_iter().collect())
}

fn after(events: impl IntoIterator<Item = PizzeriaEvent>) -> Pizzeria {
    events.into_iter().fold(Pizzeria::default(), |mut pizzeria, event| {
        pizzeria.evolve(event);
        pizzeria
    })
}

fn details(name: &str) -> Details {
    Details { name: name.into(), address: String::from("Via Roma 1, Napoli").into(), phone: String::from("+39 081 1").into() }
}

fn put(name: &str, owned: usize) -> Command {
    Command::Put { pizzeria_id: TRATTORIA, owner_id: ADA, owned, details: details(name) }
}

fn opened(name: &str) -> PizzeriaEvent {
    let Details { name, address, phone } = details(name);
    PizzeriaOpened { pizzeria_id: TRATTORIA, owner_id: ADA, name, address, phone }
}

fn renamed(name: &str) -> DetailsChange {
    DetailsChange { name: Some(name.into()), ..DetailsChange::default() }
}

fn moved(address: &str) -> DetailsChange {
    DetailsChange { address: Some(address.to_owned().into()), ..DetailsChange::default() }
}

fn called_at(phone: &str) -> DetailsChange {
    DetailsChange { phone: Some(phone.to_owned().into()), ..DetailsChange::default() }
}

fn changes() -> [DetailsChange; 4] {
    let all = DetailsChange { address: moved("Via Toledo 2, Napoli").address, phone: called_at("+39 081 2").phone, ..renamed("Da Grace") };
    [renamed("Da Grace"), moved("Via Toledo 2, Napoli"), called_at("+39 081 2"), all]
}

fn changed(DetailsChange { name, address, phone }: DetailsChange) -> PizzeriaEvent {
    PizzeriaChanged { name, address, phone }
}

fn closed() -> PizzeriaEvent {
    PizzeriaClosed { reason: PizzeriaClosure::Owner }
}

fn link(present: bool) -> LinkChange {
    LinkChange { kind: OF_OWNER, key: ADA.0, present }
}

#[test]
fn a_place_is_opened() {
    given([]).when(put("Da Ada", 0)).then_expect_events(vec![opened("Da Ada")]);
}

#[test]
fn a_place_needs_no_name() {
    given([]).when(put("", 0)).then_expect_events(vec![opened("")]);
}

#[test]
fn the_last_place_that_an_owner_may_have_is_opened() {
    given([]).when(put("Da Ada", MAX_PER_OWNER - 1)).then_expect_events(vec![opened("Da Ada")]);
}

#[test]
fn one_place_more_than_an_owner_may_have_is_too_many() {
    given([]).when(put("Da Ada", MAX_PER_OWNER)).then_expect_error(Error::TooMany);
}

#[test]
fn a_place_is_opened_once() {
    given([opened("Da Ada")]).when(put("Da Ada", 1)).then_expect_events(vec![]);
}

#[test]
fn a_place_that_is_there_already_is_not_one_more() {
    let renamed = changed(renamed("Da Grace"));
    given([opened("Da Ada")]).when(put("Da Grace", MAX_PER_OWNER)).then_expect_events(vec![renamed]);
}

#[test]
fn whoever_puts_a_place_anew_its_owner_stays() {
    let by_grace = Command::Put { pizzeria_id: TRATTORIA, owner_id: GRACE, owned: 0, details: details("Da Ada") };
    given([opened("Da Ada")]).when(by_grace).then_expect_events(vec![]);
}

#[test]
fn a_change_is_written_as_far_as_it_goes() {
    for change in changes() {
        given([opened("Da Ada")]).when(Command::Change(change.clone())).then_expect_events(vec![changed(change)]);
    }
}

#[test]
fn a_place_is_changed_once() {
    for change in changes() {
        given([opened("Da Ada"), changed(change.clone())]).when(Command::Change(change)).then_expect_events(vec![]);
    }
}

#[test]
fn what_stays_as_it_is_is_not_written() {
    let DetailsChange { address, .. } = moved("Via Roma 1, Napoli");
    let same_address = DetailsChange { address, ..renamed("Da Grace") };
    given([opened("Da Ada")]).when(Command::Change(same_address)).then_expect_events(vec![changed(renamed("Da Grace"))]);
}

#[test]
fn what_is_kept_is_no_change() {
    given([opened("Da Ada")]).when(Command::Change(DetailsChange::default())).then_expect_events(vec![]);
}

#[test]
fn a_name_can_be_taken_away() {
    given([opened("Da Ada")]).when(Command::Change(renamed(""))).then_expect_events(vec![changed(renamed(""))]);
}

#[test]
fn a_changed_place_is_put_back_as_it_was() {
    for (change, back) in changes().into_iter().zip([renamed("Da Ada"), moved("Via Roma 1, Napoli"), called_at("+39 081 1")]) {
        given([opened("Da Ada"), changed(change)]).when(put("Da Ada", 1)).then_expect_events(vec![changed(back)]);
    }
}

#[test]
fn a_closed_place_is_neither_opened_again_nor_changed() {
    for command in [put("Da Ada", 0), put("Da Ada", MAX_PER_OWNER), Command::Change(renamed("Da Grace"))] {
        given([opened("Da Ada"), closed()]).when(command).then_expect_error(Error::Closed);
    }
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
    for command in [Command::Change(renamed("Da Grace")), Command::Close { reason: PizzeriaClosure::Owner }] {
        given([]).when(command).then_expect_error(Error::Unknown);
    }
}

#[test]
fn an_open_place_is_linked_to_its_owner() {
    assert_eq!(after([]).links(&opened("Da Ada")), [link(true)]);
}

#[test]
fn changes_make_no_links() {
    for change in changes() {
        assert_eq!(after([opened("Da Ada")]).links(&changed(change)), []);
    }
}

#[test]
fn a_closed_place_is_no_longer_linked_to_its_owner() {
    assert_eq!(after([opened("Da Ada")]).links(&closed()), [link(false)]);
    assert_eq!(after([opened("Da Ada"), changed(renamed("Da Grace"))]).links(&closed()), [link(false)]);
}
