//! Commands that are sent again, and commands with conditions.

use super::*;
use crate::origin::{Condition, Repeat};

on_both! {
    a_repeat_is_answered_the_same_and_done_once,
    a_repeat_of_a_creation_names_what_the_first_one_created,
    a_repeat_that_its_own_effect_would_refuse_is_answered_all_the_same,
    of_racing_repeats_one_is_done_and_all_are_answered_the_same,
    another_command_under_the_same_key_is_refused,
    that_there_was_nothing_to_do_is_remembered,
    a_refusal_is_not_remembered,
    a_condition_is_compared_with_the_version_as_it_is,
    a_repeat_comes_before_its_condition,
    what_a_policy_does_because_of_an_event_is_done_once,
}

fn keyed(app: &App, key: &str, body: &str) -> Origin {
    let key = app.claim_key.of_client(&["ada", "POST", "/", key], body.as_bytes(), Duration::from_secs(60));
    Origin { repeat: Repeat::Client(key), ..origin() }
}

fn on_condition(condition: Condition) -> Origin {
    Origin { condition, ..origin() }
}

async fn a_repeat_is_answered_the_same_and_done_once(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let first = send_as::<Pizzeria>(a, &keyed(a, "1", ""), TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Ada")).await.unwrap();
    for process in [a, b] {
        let again = send_as::<Pizzeria>(process, &keyed(process, "1", ""), TRATTORIA.0, &rename("Da Grace")).await.unwrap();
        assert_eq!((again.version, again.token, again.after), (first.version, first.token, first.after.clone()));
        assert_eq!(again.before, first.before);
    }
    assert_eq!(stored(a, TRATTORIA.0).await.len(), 3);
}

async fn a_repeat_of_a_creation_names_what_the_first_one_created(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let (first_id, second_id) = (Uuid::from_u128(50), Uuid::from_u128(51));
    let first = send_as::<Pizza>(a, &keyed(a, "1", "{}"), first_id, &list()).await.unwrap();
    let again = send_as::<Pizza>(b, &keyed(b, "1", "{}"), second_id, &list()).await.unwrap();
    assert_eq!((again.stream_id, again.before, again.after), (first_id, first.before, first.after));
    assert_eq!(stored(a, second_id).await, [""; 0]);
}

async fn a_repeat_that_its_own_effect_would_refuse_is_answered_all_the_same(place: Place) {
    let Tizza { a, .. } = &Tizza::new(place).await;
    let close = pizzerias::Command::Close { reason: PizzeriaClosure::Owner };
    send_as::<Pizzeria>(a, &keyed(a, "rename", ""), TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    send_as::<Pizzeria>(a, &keyed(a, "close", ""), TRATTORIA.0, &close).await.unwrap();
    assert_eq!(told(send_as::<Pizzeria>(a, &keyed(a, "rename", ""), TRATTORIA.0, &rename("Da Grace")).await), Ok(2));
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await), Err(Slug::Gone));
}

async fn of_racing_repeats_one_is_done_and_all_are_answered_the_same(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let wish = |n: u128| async move {
        let process = [a, b][n as usize % 2];
        // Each repeat would create another pizza.
        send_as::<Pizza>(process, &keyed(process, "1", ""), Uuid::from_u128(100 + n), &list()).await.unwrap()
    };
    let answers = futures::future::join_all((0..8).map(wish)).await;
    assert!(answers.iter().all(|done| (done.stream_id, done.version, done.token) == (answers[0].stream_id, 1, answers[0].token)));
    let mut written = 0;
    for n in 0..8 {
        written += stored(a, Uuid::from_u128(100 + n)).await.len();
    }
    assert_eq!(written, 1);
}

async fn another_command_under_the_same_key_is_refused(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    send_as::<Pizzeria>(a, &keyed(a, "1", "Da Grace"), TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    let other = send_as::<Pizzeria>(b, &keyed(b, "1", "Da Ada"), TRATTORIA.0, &rename("Da Ada")).await;
    assert_eq!(told(other), Err(Slug::IdempotencyKeyReused));
    assert_eq!(stored(a, TRATTORIA.0).await.len(), 2);
}

async fn that_there_was_nothing_to_do_is_remembered(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let nothing = send_as::<Pizzeria>(a, &keyed(a, "1", ""), TRATTORIA.0, &open()).await.unwrap();
    assert_eq!(nothing.version, 1);
    send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    let again = send_as::<Pizzeria>(b, &keyed(b, "1", ""), TRATTORIA.0, &open()).await.unwrap();
    assert_eq!((again.version, again.token, again.after), (1, nothing.token, nothing.after));
    assert_eq!(stored(a, TRATTORIA.0).await.len(), 2);
}

async fn a_refusal_is_not_remembered(place: Place) {
    let Tizza { a, .. } = &Tizza::empty(place).await;
    let wish = || async { told(send_as::<Pizzeria>(a, &keyed(a, "1", ""), TRATTORIA.0, &open()).await) };
    assert_eq!(wish().await, Err(Slug::Unauthenticated));
    sign_up(a, ADA, "Ada").await.unwrap();
    assert_eq!(wish().await, Ok(1));
}

async fn a_condition_is_compared_with_the_version_as_it_is(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    send::<Pizzeria>(b, TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    // The first process remembers version 1.
    let wish = |condition, name: &'static str| async move {
        told(send_as::<Pizzeria>(a, &on_condition(condition), TRATTORIA.0, &rename(name)).await)
    };
    assert_eq!(wish(Condition::Versions(vec![1]), "Da Ada").await, Err(Slug::PreconditionFailed));
    assert_eq!(wish(Condition::Absent, "Da Ada").await, Err(Slug::PreconditionFailed));
    assert_eq!(wish(Condition::Versions(vec![2]), "Da Ada").await, Ok(3));
    assert_eq!(wish(Condition::Exists, "Da Grace").await, Ok(4));
    let nowhere = Uuid::from_u128(9);
    let put = send_as::<Pizzeria>(a, &on_condition(Condition::Exists), nowhere, &open()).await;
    assert_eq!(told(put), Err(Slug::PreconditionFailed));
}

async fn a_repeat_comes_before_its_condition(place: Place) {
    let Tizza { a, .. } = &Tizza::new(place).await;
    let origin = Origin { condition: Condition::Versions(vec![1]), ..keyed(a, "1", "") };
    assert_eq!(told(send_as::<Pizzeria>(a, &origin, TRATTORIA.0, &rename("Da Grace")).await), Ok(2));
    assert_eq!(told(send_as::<Pizzeria>(a, &origin, TRATTORIA.0, &rename("Da Grace")).await), Ok(2));
    assert_eq!(stored(a, TRATTORIA.0).await.len(), 2);
}

async fn what_a_policy_does_because_of_an_event_is_done_once(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let origin = |n| Origin { repeat: Repeat::Reaction { policy: "renaming", event_id: Uuid::from_u128(n) }, ..origin() };
    assert_eq!(told(send_as::<Pizzeria>(a, &origin(1), TRATTORIA.0, &rename("Da Grace")).await), Ok(2));
    send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Ada")).await.unwrap();
    assert_eq!(told(send_as::<Pizzeria>(b, &origin(1), TRATTORIA.0, &rename("Da Grace")).await), Ok(2));
    assert_eq!(told(send_as::<Pizzeria>(b, &origin(2), TRATTORIA.0, &rename("Da Grace")).await), Ok(4));
}
