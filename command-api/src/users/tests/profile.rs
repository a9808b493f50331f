//! What people say about themselves.

use events::users::Visibility;
use serde_json::Value;

use super::*;

const AUGUSTA: &str = "Augusta@Example.org";

fn email_of(email: Patch<Email>) -> ProfileChange {
    ProfileChange { email, ..ProfileChange::default() }
}

fn called(first_name: Patch<PersonName<30>>, last_name: Patch<PersonName<150>>) -> ProfileChange {
    ProfileChange { first_name, last_name, ..ProfileChange::default() }
}

fn settings_of(settings: Value) -> ProfileChange {
    ProfileChange { settings: Some(SettingsChange::read(&settings).unwrap()), ..ProfileChange::default() }
}

fn everything() -> ProfileChange {
    let names = called(set("Byron"), set("King"));
    ProfileChange { email: set(AUGUSTA), settings: settings_of(json!({ "mail_on_mention": false })).settings, ..names }
}

fn set<T: Field>(text: &str) -> Patch<T> {
    Patch::Set(typed(text))
}

fn change(change: ProfileChange) -> Command {
    Command::ChangeProfile(change)
}

/// What was written of a change.
#[derive(Clone, Copy, Default)]
struct Written {
    email: Option<Option<&'static str>>,
    first_name: Option<Option<&'static str>>,
    last_name: Option<Option<&'static str>>,
    settings: Option<Settings>,
}

fn changed(written: Written) -> UserEvent {
    let stored = |text: Option<&str>| text.map(|text| Pii::Clear(text.to_owned()));
    ProfileChanged {
        email: written.email.map(stored),
        first_name: written.first_name.map(stored),
        last_name: written.last_name.map(stored),
        settings: written.settings,
    }
}

fn email_changed(email: Option<&'static str>) -> UserEvent {
    changed(Written { email: Some(email), ..Written::default() })
}

fn names_changed(first_name: Option<Option<&'static str>>, last_name: Option<Option<&'static str>>) -> UserEvent {
    changed(Written { first_name, last_name, ..Written::default() })
}

fn settings_changed(settings: Settings) -> UserEvent {
    changed(Written { settings: Some(settings), ..Written::default() })
}

fn everything_changed() -> UserEvent {
    let settings = Settings { mail_on_mention: false, ..Settings::default() };
    changed(Written {
        email: Some(Some(AUGUSTA)),
        first_name: Some(Some("Byron")),
        last_name: Some(Some("King")),
        settings: Some(settings),
    })
}

#[test]
fn everything_can_be_changed_at_once() {
    for before in [ADA, NOBODY] {
        given([signed_up(before)]).when(change(everything())).then_expect_events(vec![everything_changed()]);
    }
}

#[test]
fn a_profile_is_changed_once() {
    given([signed_up(ADA), everything_changed()]).when(change(everything())).then_expect_events(vec![]);
}

#[test]
fn what_is_kept_is_no_change() {
    given([signed_up(ADA), everything_changed()]).when(change(ProfileChange::default())).then_expect_events(vec![]);
}

#[test]
fn what_stays_as_it_is_is_not_written() {
    let names = called(set("Augusta Ada"), set("Byron"));
    let byron = names_changed(None, Some(Some("Byron")));
    given([signed_up(ADA)]).when(change(ProfileChange { email: set("Ada@Example.org"), ..names })).then_expect_events(vec![byron]);
}

#[test]
fn an_address_is_replaced() {
    given([signed_up(ADA)]).when(change(email_of(set(AUGUSTA)))).then_expect_events(vec![email_changed(Some(AUGUSTA))]);
}

#[test]
fn an_address_is_taken_away() {
    given([signed_up(ADA)]).when(change(email_of(Patch::Clear))).then_expect_events(vec![email_changed(None)]);
}

#[test]
fn an_address_is_written_as_it_is_typed_now() {
    given([signed_up(ADA)]).when(change(email_of(set("ada@example.org")))).then_expect_events(vec![email_changed(Some("ada@example.org"))]);
}

#[test]
fn an_address_that_was_taken_away_can_come_back() {
    let before = [signed_up(ADA), email_changed(None)];
    given(before).when(change(email_of(set("Ada@Example.org")))).then_expect_events(vec![email_changed(Some("Ada@Example.org"))]);
}

#[test]
fn names_are_taken_away() {
    let gone = names_changed(Some(None), Some(None));
    given([signed_up(ADA)]).when(change(called(Patch::Clear, Patch::Clear))).then_expect_events(vec![gone]);
}

#[test]
fn one_name_is_changed_without_the_other() {
    let (first, last) = (names_changed(Some(Some("Byron")), None), names_changed(None, Some(None)));
    given([signed_up(ADA)]).when(change(called(set("Byron"), Patch::Keep))).then_expect_events(vec![first]);
    given([signed_up(ADA)]).when(change(called(Patch::Keep, Patch::Clear))).then_expect_events(vec![last]);
}

#[test]
fn an_empty_name_is_none() {
    let gone = names_changed(Some(None), Some(None));
    given([signed_up(ADA)]).when(change(called(set(""), set("")))).then_expect_events(vec![gone]);
}

#[test]
fn what_is_not_there_cannot_be_taken_away() {
    for names in [called(Patch::Clear, Patch::Clear), called(set(""), set(""))] {
        let nothing = ProfileChange { email: Patch::Clear, ..names };
        given([signed_up(NOBODY)]).when(change(nothing)).then_expect_events(vec![]);
    }
}

#[test]
fn what_was_taken_away_is_gone() {
    let gone = [signed_up(ADA), email_changed(None), names_changed(Some(None), Some(None))];
    let again = ProfileChange { email: Patch::Clear, ..called(Patch::Clear, Patch::Clear) };
    given(gone).when(change(again)).then_expect_events(vec![]);
}

#[test]
fn single_settings_keep_the_others() {
    let public = Settings { meetup_visibility_default: Visibility::Public, ..Settings::default() };
    let with_mail = Settings { mail_on_meetup: true, ..public };
    let (visibility, mail) = (json!({ "meetup_visibility_default": "public" }), json!({ "mail_on_meetup": true }));
    given([signed_up(ADA)]).when(change(settings_of(visibility))).then_expect_events(vec![settings_changed(public)]);
    let before = [signed_up(ADA), settings_changed(public)];
    given(before).when(change(settings_of(mail))).then_expect_events(vec![settings_changed(with_mail)]);
}

#[test]
fn settings_that_are_so_already_are_no_change() {
    for already in [json!({}), json!({ "meetup_visibility_default": "private", "mail_on_mention": true, "mail_on_meetup": false })] {
        given([signed_up(ADA)]).when(change(settings_of(already))).then_expect_events(vec![]);
    }
}

#[test]
fn another_address_is_exchanged_for_the_old_one() {
    let exchanged = [NameChange::GiveBack(email("ada@example.org")), NameChange::Take(email("augusta@example.org"))];
    assert_eq!(after([signed_up(ADA)]).names(&email_changed(Some(AUGUSTA))), exchanged);
}

#[test]
fn an_address_in_other_letters_is_still_taken() {
    let exchanged = [NameChange::GiveBack, NameChange::Take].map(|change| change(email("ada@example.org")));
    assert_eq!(after([signed_up(ADA)]).names(&email_changed(Some("ADA@example.org"))), exchanged);
}

#[test]
fn a_first_address_is_only_taken() {
    assert_eq!(after([signed_up(NOBODY)]).names(&email_changed(Some(AUGUSTA))), [NameChange::Take(email("augusta@example.org"))]);
}

#[test]
fn an_address_that_is_taken_away_is_only_given_back() {
    assert_eq!(after([signed_up(ADA)]).names(&email_changed(None)), [NameChange::GiveBack(email("ada@example.org"))]);
}

#[test]
fn other_changes_leave_the_address_taken() {
    for event in [names_changed(Some(None), Some(Some("King"))), settings_changed(Settings::default())] {
        assert_eq!(after([signed_up(ADA)]).names(&event), []);
    }
}

#[test]
fn the_last_address_is_given_back_at_deletion() {
    let given_back = [username("ada"), email("augusta@example.org")].map(NameChange::GiveBack);
    assert_eq!(after([signed_up(ADA), email_changed(Some(AUGUSTA))]).names(&deleted()), given_back);
    assert_eq!(after([signed_up(ADA), email_changed(None)]).names(&deleted()), given_back[..1]);
}
