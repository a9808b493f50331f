//! What happens to accounts.

use serde::{Deserialize, Serialize};

use crate::{Pii, UserId, ids::CredentialId, vocabulary};

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
    /// The account is gone, and with it all that is personal.
    UserDeleted {
        /// Whose account.
        user_id: UserId,
        /// Who wanted it.
        reason: UserDeletion,
    },
}

vocabulary!(UserEvent, kind = "user", UserSignedUp = 1, UserDeleted = 1);

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
}

vocabulary!(SuperuserEvent, kind = "superusers", SuperuserGranted = 1);

/// How user names and e-mail addresses are compared: two that differ only in case are one. Through capitals and back, since `ß` and `ς`
/// have small forms that only their capitals bring together.
#[must_use]
pub fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn names_that_differ_only_in_case_are_one() {
        for (one, other) in [("Ada", "aDA"), ("STRASSE", "straße"), ("ΟΔΟΣ", "οδοσ"), ("ÅSA", "åsa")] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("ada"), fold("áda"));
    }
}
