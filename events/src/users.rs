//! What happens to accounts.

use serde::{Deserialize, Serialize};

use crate::{Pii, UserId, ids::CredentialId, vocabulary, vocabulary::changed};

/// Of one account; the stream's id is the user's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum UserEvent {
    /// A person opened an account.
    UserSignedUp {
        /// Whose account.
        user_id: UserId,
        /// Names the password's hash in the identity store; written there first.
        credential_id: CredentialId,
        /// As typed; unique ignoring case.
        username: Pii<String>,
        /// Unique ignoring case.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        email: Option<Pii<String>>,
        /// Given name.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        first_name: Option<Pii<String>>,
        /// Family name.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        last_name: Option<Pii<String>>,
    },
    /// Another password; all sessions but the one that changed it are over.
    PasswordChanged {
        /// Names the new password's hash in the identity store; written there first.
        credential_id: CredentialId,
    },
    /// Something about the person is different. Only what changed is here.
    ProfileChanged {
        /// `Some(None)`: there is none any more.
        #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "changed")]
        email: Option<Option<Pii<String>>>,
        /// Given name.
        #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "changed")]
        first_name: Option<Option<Pii<String>>>,
        /// Family name.
        #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "changed")]
        last_name: Option<Option<Pii<String>>>,
        /// All settings, as they are now.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        settings: Option<Settings>,
    },
    /// Staff has shut the person out, for the time being.
    UserSuspended {
        /// What for.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<Pii<String>>,
    },
    /// The person may come in again.
    UserReinstated {},
    /// The person is a member of staff.
    StaffGranted {},
    /// The person is no member of staff any more.
    StaffRevoked {},
    /// The account is gone, and with it all that is personal.
    UserDeleted {
        /// Whose account.
        user_id: UserId,
        /// Who wanted it.
        reason: UserDeletion,
    },
}

vocabulary!(
    UserEvent,
    kind = "user",
    UserSignedUp = 1,
    PasswordChanged = 1,
    ProfileChanged = 1,
    UserSuspended = 1,
    UserReinstated = 1,
    StaffGranted = 1,
    StaffRevoked = 1,
    UserDeleted = 1,
);

/// The name of [`UserEvent::UserDeleted`], for those who look at it before they look into it.
pub const USER_DELETED: &str = "UserDeleted";

/// What a user has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Who sees a meetup that the user organises, unless told.
    pub meetup_visibility_default: Visibility,
    /// A mail when a message mentions the user.
    pub mail_on_mention: bool,
    /// A mail when there is a meetup at a place that the user likes.
    pub mail_on_meetup: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { meetup_visibility_default: Visibility::Private, mail_on_mention: true, mail_on_meetup: false }
    }
}

/// Who sees something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Friends and invited people.
    Private,
    /// Everyone.
    Public,
}

/// Who wanted an account gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserDeletion {
    /// The person.
    #[serde(rename = "self")]
    SelfRequested,
    /// A member of staff.
    Staff,
}

/// Of the one stream that lists the superusers, so that "at least one remains" is decided in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SuperuserEvent {
    /// May do everything from now on.
    SuperuserGranted {
        /// Who.
        user_id: UserId,
    },
    /// May no longer do everything.
    SuperuserRevoked {
        /// Who.
        user_id: UserId,
    },
}

vocabulary!(SuperuserEvent, kind = "superusers", SuperuserGranted = 1, SuperuserRevoked = 1);

/// How user names and e-mail addresses are compared: two that differ only in case are one. Through capitals and back, since `ß` and `ς`
/// have small forms that only their capitals bring together.
#[must_use]
pub fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{USER_DELETED, UserEvent, fold};
    use crate::Vocabulary;

    #[test]
    fn deletions_are_known_by_their_name() {
        assert!(UserEvent::knows(USER_DELETED));
    }

    #[test]
    fn names_that_differ_only_in_case_are_one() {
        for (one, other) in [("Ada", "aDA"), ("STRASSE", "straße"), ("ΟΔΟΣ", "οδοσ"), ("ÅSA", "åsa")] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("ada"), fold("áda"));
    }
}
