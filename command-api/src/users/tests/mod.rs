//! What becomes of an account and its names.

mod profile;
mod staff;

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use serde_json::json;
use service_kit::fields::Field;

use super::*;

const USER: UserId = UserId(Uuid::from_u128(1));
const CREDENTIAL: CredentialId = CredentialId(Uuid::from_u128(2));
const NEW_CREDENTIAL: CredentialId = CredentialId(Uuid::from_u128(3));
const DELETIONS: [UserDeletion; 2] = [UserDeletion::SelfRequested, UserDeletion::Staff];

/// What somebody types into the form.
#[derive(Clone, Copy)]
struct Form {
    username: &'static str,
    email: Option<&'static str>,
    first_name: Option<&'static str>,
    last_name: Option<&'static str>,
}

const ADA: Form = Form { username: "Ada", email: Some("Ada@Example.org"), first_name: Some("Augusta Ada"), last_name: Some("Lovelace") };
const NOBODY: Form = Form { username: "Nobody", email: None, first_name: None, last_name: None };

fn given(events: impl IntoIterator<Item = UserEvent>) -> AggregateTestExecutor<User> {
    TestFramework::with(()).given(events.into_iter().collect())
}

fn after(events: impl IntoIterator<Item = UserEvent>) -> User {
    events.into_iter().fold(User::default(), |mut user, event| {
        user.evolve(event);
        user
    })
}

fn typed<T: Field>(text: &str) -> T {
    T::read(&json!(text)).unwrap()
}

fn sign_up(form: Form) -> Command {
    Command::SignUp {
        user_id: USER,
        credential_id: CREDENTIAL,
        username: typed(form.username),
        email: form.email.map(typed),
        first_name: form.first_name.map(typed),
        last_name: form.last_name.map(typed),
    }
}

fn signed_up(form: Form) -> UserEvent {
    let stored = |text: &str| Pii::Clear(text.to_owned());
    UserSignedUp {
        user_id: USER,
        credential_id: CREDENTIAL,
        username: stored(form.username),
        email: form.email.map(stored),
        first_name: form.first_name.map(stored),
        last_name: form.last_name.map(stored),
    }
}

fn change_password(credential_id: CredentialId) -> Command {
    Command::ChangePassword { credential_id }
}

fn password_changed(credential_id: CredentialId) -> UserEvent {
    PasswordChanged { credential_id }
}

fn suspend(reason: Option<&str>) -> Command {
    Command::Suspend { reason: reason.map(Into::into), is_superuser: false }
}

fn suspended() -> UserEvent {
    UserSuspended { reason: Some(Pii::Clear("rude".into())) }
}

/// What takes an account that is there.
fn changes() -> [Command; 6] {
    [
        change_password(NEW_CREDENTIAL),
        Command::ChangeProfile(ProfileChange::default()),
        suspend(None),
        Command::Reinstate,
        Command::SetStaff { is_staff: true },
        Command::SetStaff { is_staff: false },
    ]
}

fn delete(reason: UserDeletion) -> Command {
    Command::Delete { reason, is_superuser: false }
}

fn delete_superuser() -> Command {
    Command::Delete { reason: UserDeletion::Staff, is_superuser: true }
}

fn deleted() -> UserEvent {
    UserDeleted { user_id: USER, reason: UserDeletion::SelfRequested }
}

fn username(name: &str) -> Name {
    Name::new(NameKind::Username, name)
}

fn email(address: &str) -> Name {
    Name::new(NameKind::Email, address)
}

#[test]
fn an_account_is_opened_as_it_was_typed() {
    given([]).when(sign_up(ADA)).then_expect_events(vec![signed_up(ADA)]);
}

#[test]
fn an_account_needs_no_more_than_a_username() {
    given([]).when(sign_up(NOBODY)).then_expect_events(vec![signed_up(NOBODY)]);
}

#[test]
fn an_account_is_not_opened_twice() {
    given([signed_up(ADA)]).when(sign_up(ADA)).then_expect_error(Error::Exists);
}

#[test]
fn a_deleted_account_is_not_opened_again() {
    given([signed_up(ADA), deleted()]).when(sign_up(ADA)).then_expect_error(Error::Deleted);
}

#[test]
fn an_account_is_deleted_for_the_reason_given() {
    for reason in DELETIONS {
        given([signed_up(ADA)]).when(delete(reason)).then_expect_events(vec![UserDeleted { user_id: USER, reason }]);
    }
}

#[test]
fn an_account_is_deleted_once_and_the_first_reason_stays() {
    for reason in DELETIONS {
        given([signed_up(ADA), deleted()]).when(delete(reason)).then_expect_events(vec![]);
    }
}

#[test]
fn an_account_that_was_never_opened_is_unknown() {
    given([]).when(delete(UserDeletion::Staff)).then_expect_error(Error::Unknown);
}

#[test]
fn an_account_that_was_never_opened_is_not_changed() {
    for change in changes() {
        given([]).when(change).then_expect_error(Error::Unknown);
    }
}

#[test]
fn a_deleted_account_is_not_changed() {
    for change in changes() {
        given([signed_up(ADA), deleted()]).when(change).then_expect_error(Error::Deleted);
    }
}

#[test]
fn a_password_is_changed() {
    given([signed_up(ADA)]).when(change_password(NEW_CREDENTIAL)).then_expect_events(vec![password_changed(NEW_CREDENTIAL)]);
}

#[test]
fn a_password_is_changed_once() {
    given([signed_up(ADA)]).when(change_password(CREDENTIAL)).then_expect_events(vec![]);
    given([signed_up(ADA), password_changed(NEW_CREDENTIAL)]).when(change_password(NEW_CREDENTIAL)).then_expect_events(vec![]);
}

#[test]
fn the_password_of_before_is_another_one() {
    let before = [signed_up(ADA), password_changed(NEW_CREDENTIAL)];
    given(before).when(change_password(CREDENTIAL)).then_expect_events(vec![password_changed(CREDENTIAL)]);
}

#[test]
fn a_superuser_is_not_deleted() {
    given([signed_up(ADA)]).when(delete_superuser()).then_expect_error(Error::Superuser);
}

#[test]
fn names_are_taken_at_sign_up_ignoring_case() {
    let taken = [username("ada"), email("ada@example.org")].map(NameChange::Take);
    assert_eq!(after([]).names(&signed_up(ADA)), taken);
}

#[test]
fn an_account_without_an_address_takes_its_username_alone() {
    assert_eq!(after([]).names(&signed_up(NOBODY)), [NameChange::Take(username("nobody"))]);
}

#[test]
fn names_are_given_back_at_deletion_ignoring_case() {
    let given_back = [username("ada"), email("ada@example.org")].map(NameChange::GiveBack);
    assert_eq!(after([signed_up(ADA)]).names(&deleted()), given_back);
}

#[test]
fn an_account_without_an_address_gives_back_its_username_alone() {
    assert_eq!(after([signed_up(NOBODY)]).names(&deleted()), [NameChange::GiveBack(username("nobody"))]);
}

#[test]
fn what_is_not_about_names_takes_none() {
    for event in [password_changed(NEW_CREDENTIAL), suspended(), UserReinstated {}, StaffGranted {}, StaffRevoked {}] {
        assert_eq!(after([signed_up(ADA)]).names(&event), []);
    }
}
