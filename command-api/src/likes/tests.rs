//! What becomes of a swipe.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

use super::*;

const ADA: UserId = UserId(Uuid::from_u128(1));
const MARGHERITA: PizzaId = PizzaId(Uuid::from_u128(2));
const TRATTORIA: PizzeriaId = PizzeriaId(Uuid::from_u128(3));

fn given(events: impl IntoIterator<Item = ReactionEvent>) -> AggregateTestExecutor<Opinion> {
    TestFramework::with(()).given(events.into_iter().collect())
}

fn react(reaction: Reaction) -> Command {
    Command::React { reaction, user_id: ADA, pizza_id: MARGHERITA, pizzeria_id: TRATTORIA }
}

fn liked() -> ReactionEvent {
    PizzaLiked { user_id: ADA, pizza_id: MARGHERITA, pizzeria_id: TRATTORIA }
}

fn disliked() -> ReactionEvent {
    PizzaDisliked { user_id: ADA, pizza_id: MARGHERITA, pizzeria_id: TRATTORIA }
}

fn withdrawn() -> ReactionEvent {
    PizzaReactionWithdrawn { user_id: ADA, pizza_id: MARGHERITA, pizzeria_id: TRATTORIA }
}

#[test]
fn a_swipe_to_the_right_is_a_like() {
    given([]).when(react(Like)).then_expect_events(vec![liked()]);
}

#[test]
fn a_swipe_to_the_left_is_a_dislike() {
    given([]).when(react(Dislike)).then_expect_events(vec![disliked()]);
}

#[test]
fn a_pizza_is_liked_once() {
    given([liked()]).when(react(Like)).then_expect_events(vec![]);
}

#[test]
fn a_pizza_is_disliked_once() {
    given([disliked()]).when(react(Dislike)).then_expect_events(vec![]);
}

#[test]
fn a_like_can_turn_into_a_dislike() {
    given([liked()]).when(react(Dislike)).then_expect_events(vec![disliked()]);
}

#[test]
fn a_dislike_can_turn_into_a_like() {
    given([disliked()]).when(react(Like)).then_expect_events(vec![liked()]);
}

#[test]
fn either_reaction_can_be_withdrawn() {
    for reaction in [liked(), disliked()] {
        given([reaction]).when(Command::Withdraw).then_expect_events(vec![withdrawn()]);
    }
}

#[test]
fn a_reaction_is_withdrawn_once() {
    given([liked(), withdrawn()]).when(Command::Withdraw).then_expect_events(vec![]);
}

#[test]
fn who_never_swiped_has_nothing_to_withdraw() {
    given([]).when(Command::Withdraw).then_expect_events(vec![]);
}

#[test]
fn a_withdrawn_reaction_is_as_if_never_swiped() {
    given([liked(), withdrawn()]).when(react(Like)).then_expect_events(vec![liked()]);
    given([disliked(), withdrawn()]).when(react(Dislike)).then_expect_events(vec![disliked()]);
}

proptest! {
    /// An event is written where the mind changes and nowhere else, and it never takes two.
    #[test]
    fn the_last_wish_counts(wishes in vec(option::of(select(vec![Like, Dislike])), 0..20)) {
        let mut opinion = Opinion::default();
        for wish in wishes {
            let changes = wish != opinion.now;
            let Ok(events) = opinion.decide(wish.map_or(Command::Withdraw, react));
            prop_assert_eq!(events.len(), usize::from(changes));
            events.into_iter().for_each(|event| opinion.evolve(event));
            prop_assert_eq!(opinion.now, wish);
        }
    }
}
