//! What staff does to an account.

use super::*;

const GRANT: Command = Command::SetStaff { is_staff: true };
const REVOKE: Command = Command::SetStaff { is_staff: false };

#[test]
fn a_person_is_suspended_for_the_reason_given() {
    given([signed_up(ADA)]).when(suspend(Some("rude"))).then_expect_events(vec![suspended()]);
}

#[test]
fn a_person_is_suspended_without_a_reason() {
    given([signed_up(ADA)]).when(suspend(None)).then_expect_events(vec![UserSuspended { reason: None }]);
}

#[test]
fn a_person_is_suspended_once_and_the_first_reason_stays() {
    for reason in [Some("rude"), Some("loud"), None] {
        given([signed_up(ADA), suspended()]).when(suspend(reason)).then_expect_events(vec![]);
    }
}

#[test]
fn a_superuser_is_not_suspended() {
    let suspend = Command::Suspend { reason: None, is_superuser: true };
    given([signed_up(ADA)]).when(suspend).then_expect_error(Error::Superuser);
}

#[test]
fn a_suspended_person_is_reinstated() {
    given([signed_up(ADA), suspended()]).when(Command::Reinstate).then_expect_events(vec![UserReinstated {}]);
}

#[test]
fn a_person_is_reinstated_once() {
    given([signed_up(ADA), suspended(), UserReinstated {}]).when(Command::Reinstate).then_expect_events(vec![]);
}

#[test]
fn who_is_not_suspended_is_not_reinstated() {
    given([signed_up(ADA)]).when(Command::Reinstate).then_expect_events(vec![]);
}

#[test]
fn a_reinstated_person_can_be_suspended_again() {
    given([signed_up(ADA), suspended(), UserReinstated {}]).when(suspend(Some("rude"))).then_expect_events(vec![suspended()]);
}

#[test]
fn a_suspended_account_is_deleted_like_any_other() {
    given([signed_up(ADA), suspended()]).when(delete(UserDeletion::SelfRequested)).then_expect_events(vec![deleted()]);
}

#[test]
fn a_person_becomes_staff() {
    given([signed_up(ADA)]).when(GRANT).then_expect_events(vec![StaffGranted {}]);
}

#[test]
fn a_person_becomes_staff_once() {
    given([signed_up(ADA), StaffGranted {}]).when(GRANT).then_expect_events(vec![]);
}

#[test]
fn a_member_of_staff_can_cease_to_be_one() {
    given([signed_up(ADA), StaffGranted {}]).when(REVOKE).then_expect_events(vec![StaffRevoked {}]);
}

#[test]
fn a_member_of_staff_ceases_to_be_one_once() {
    given([signed_up(ADA), StaffGranted {}, StaffRevoked {}]).when(REVOKE).then_expect_events(vec![]);
}

#[test]
fn who_is_not_staff_has_nothing_to_cease() {
    given([signed_up(ADA)]).when(REVOKE).then_expect_events(vec![]);
}

#[test]
fn who_was_staff_can_become_it_again() {
    given([signed_up(ADA), StaffGranted {}, StaffRevoked {}]).when(GRANT).then_expect_events(vec![StaffGranted {}]);
}

#[test]
fn staff_that_was_suspended_is_still_staff() {
    given([signed_up(ADA), StaffGranted {}, suspended(), UserReinstated {}]).when(GRANT).then_expect_events(vec![]);
}
