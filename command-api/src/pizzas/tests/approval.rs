//! What staff thinks of a pizza.

use super::*;

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
fn a_pizza_that_is_put_anew_is_not_judged_by_that() {
    let bufala = Details { title: "Bufala".into(), ..margherita() };
    given([created()]).when(put(margherita(), true)).then_expect_events(vec![]);
    given([created(), PizzaApproved {}]).when(put(bufala, false)).then_expect_events(vec![changed(retitled("Bufala"))]);
}

#[test]
fn a_change_leaves_the_approval() {
    given([created(), PizzaApproved {}, changed(retitled("Bufala"))]).when(Command::Approve).then_expect_events(vec![]);
}
