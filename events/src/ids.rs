//! Ids: a type each, so that a pizza is never looked up as a user.
//!
//! Streams that somebody creates have UUIDv7 ids; ids that follow from other ids are UUIDv5 in a namespace per kind
//! (RFC 9562, sections 5.5 and 5.7). A client may choose a v4 or v7 only, so that nobody occupies a derived id.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The root of all derived namespaces.
const NAMESPACE: Uuid = Uuid::from_u128(0x7e1f_0c56_5d0a_4b57_9d2e_1a33_70e0_7122);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, ordered by time.
            #[must_use]
            pub fn now() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    )+ };
}

ids! {
    /// A person's account.
    UserId,
    /// A place.
    PizzeriaId,
    /// A pizza.
    PizzaId,
    /// What one user thinks of one pizza.
    ReactionId,
    /// A stored password hash.
    CredentialId,
}

impl ReactionId {
    /// The one reaction of `user` to `pizza`.
    #[must_use]
    pub fn of(user: UserId, pizza: PizzaId) -> Self {
        let namespace = Uuid::new_v5(&NAMESPACE, b"reaction");
        let name = [user.0.into_bytes(), pizza.0.into_bytes()].concat();
        Self(Uuid::new_v5(&namespace, &name))
    }
}

/// The one stream that lists the superusers.
#[must_use]
pub fn superusers() -> Uuid {
    Uuid::new_v5(&NAMESPACE, b"superusers")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Derived ids are stored; were they to change, every reaction would be a stranger to its own history.
    #[test]
    fn derived_ids_never_change() {
        let (user, pizza) = (UserId(Uuid::from_u128(1)), PizzaId(Uuid::from_u128(2)));
        assert_eq!(ReactionId::of(user, pizza).to_string(), "f7a6f1d9-c2e3-5732-ba06-a19164db85d4");
        assert_eq!(superusers().to_string(), "224fdfc2-5aa6-5de7-ba72-e285dcbbb572");
    }
}
