//! What a pizza is called, and what else the card says of it.

use super::*;

const OSTERIA: PizzeriaId = PizzeriaId(Uuid::from_u128(3));

fn described(description: &str) -> DetailsChange {
    DetailsChange { description: Some(description.into()), ..DetailsChange::default() }
}

fn pictured(url: Option<&str>) -> DetailsChange {
    DetailsChange { thumbnail_url: Some(url.map(Into::into)), ..DetailsChange::default() }
}

fn made_for(diet: Option<Diet>) -> DetailsChange {
    DetailsChange { diet: Some(diet), ..DetailsChange::default() }
}

fn bufala() -> Details {
    Details {
        title: "Bufala".into(),
        description: "Tomatoes, buffalo mozzarella".into(),
        thumbnail_url: Some("https://example.org/bufala.jpg".into()),
        diet: Some(Diet::Meat),
    }
}

/// Each of them with what brings a margherita back.
fn changes() -> [(DetailsChange, DetailsChange); 6] {
    let Details { title, description, thumbnail_url, diet } = margherita();
    let picture = thumbnail_url.as_deref();
    [
        (retitled("Bufala"), retitled(&title)),
        (described("Tomatoes"), described(&description)),
        (pictured(None), pictured(picture)),
        (pictured(Some("https://example.org/other.jpg")), pictured(picture)),
        (made_for(None), made_for(diet)),
        (bufala().into(), margherita().into()),
    ]
}

#[test]
fn a_change_is_written_as_far_as_it_goes() {
    for (change, _) in changes() {
        given([created()]).when(Command::Change(change.clone())).then_expect_events(vec![changed(change)]);
    }
}

#[test]
fn a_pizza_is_changed_once() {
    for (change, _) in changes() {
        given([created(), changed(change.clone())]).when(Command::Change(change)).then_expect_events(vec![]);
    }
}

#[test]
fn a_changed_pizza_is_put_back_as_it_was() {
    for (change, back) in changes() {
        given([created(), changed(change)]).when(put(margherita(), false)).then_expect_events(vec![changed(back)]);
    }
}

#[test]
fn what_is_kept_is_no_change() {
    given([created()]).when(Command::Change(DetailsChange::default())).then_expect_events(vec![]);
}

#[test]
fn what_stays_as_it_is_is_not_written() {
    let same_diet = DetailsChange { diet: Some(margherita().diet), ..retitled("Bufala") };
    given([created()]).when(Command::Change(same_diet)).then_expect_events(vec![changed(retitled("Bufala"))]);
}

#[test]
fn what_is_not_there_cannot_be_taken_away() {
    let nothing = DetailsChange { thumbnail_url: Some(None), ..made_for(None) };
    given([presented(plain())]).when(Command::Change(nothing)).then_expect_events(vec![]);
}

#[test]
fn what_a_pizza_is_put_without_is_taken_away() {
    let gone = DetailsChange { thumbnail_url: Some(None), ..made_for(None) };
    given([created()]).when(put(plain(), false)).then_expect_events(vec![changed(gone)]);
}

#[test]
fn a_pizza_stays_where_it_is_baked() {
    let elsewhere = |details| Command::Put { pizza_id: MARGHERITA, pizzeria_id: OSTERIA, details, approve: true };
    for details in [margherita(), bufala()] {
        given([created()]).when(elsewhere(details)).then_expect_error(Error::Moved);
    }
}
