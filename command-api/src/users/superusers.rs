//! The list of those who may do everything: one stream, so that "at least one remains" is decided in one place.

use std::collections::BTreeSet;

use events::{SuperuserEvent, UserId};
use serde::{Deserialize, Serialize};
use service_kit::{Problem, Slug};

use crate::{aggregate, executor::Decider};
use SuperuserEvent::{SuperuserGranted, SuperuserRevoked};

/// What can be done to the list.
#[derive(Clone, Debug)]
pub enum Command {
    /// Put the first one on it: what an operator does once.
    GrantFirst {
        /// Who.
        user_id: UserId,
    },
    /// Put another one on it.
    Grant {
        /// Who.
        user_id: UserId,
    },
    /// Take one off it.
    Revoke {
        /// Who.
        user_id: UserId,
    },
}

/// Why it cannot be done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is one already.
    #[error("there is a superuser already")]
    NotTheFirst,
    /// At least one remains.
    #[error("this is the last superuser")]
    TheLast,
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Superusers {
    /// Who is on it.
    pub members: BTreeSet<UserId>,
}

impl Decider for Superusers {
    fn decide(&self, command: Command) -> Result<Vec<SuperuserEvent>, Error> {
        match command {
            Command::GrantFirst { user_id } if self.members.contains(&user_id) => Ok(vec![]),
            Command::GrantFirst { .. } if !self.members.is_empty() => Err(Error::NotTheFirst),
            Command::GrantFirst { user_id } => Ok(vec![SuperuserGranted { user_id }]),
            Command::Grant { user_id } if self.members.contains(&user_id) => Ok(vec![]),
            Command::Grant { user_id } => Ok(vec![SuperuserGranted { user_id }]),
            Command::Revoke { user_id } if !self.members.contains(&user_id) => Ok(vec![]),
            Command::Revoke { .. } if self.members.len() == 1 => Err(Error::TheLast),
            Command::Revoke { user_id } => Ok(vec![SuperuserRevoked { user_id }]),
        }
    }

    fn evolve(&mut self, event: SuperuserEvent) {
        match event {
            SuperuserGranted { user_id } => {
                self.members.insert(user_id);
            }
            SuperuserRevoked { user_id } => {
                self.members.remove(&user_id);
            }
        }
    }
}

aggregate!(Superusers, SuperuserEvent);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotTheFirst => Self::new(Slug::Conflict, "There is a superuser already; another is granted by a superuser."),
            Error::TheLast => Self::new(Slug::Conflict, "This is the last superuser: grant another one first."),
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::{AggregateTestExecutor, TestFramework};
    use uuid::Uuid;

    use super::*;

    const ADA: UserId = UserId(Uuid::from_u128(1));
    const GRACE: UserId = UserId(Uuid::from_u128(2));

    fn given(events: impl IntoIterator<Item = SuperuserEvent>) -> AggregateTestExecutor<Superusers> {
        TestFramework::with(()).given(events.into_iter().collect())
    }

    fn grant_first(user_id: UserId) -> Command {
        Command::GrantFirst { user_id }
    }

    fn grant(user_id: UserId) -> Command {
        Command::Grant { user_id }
    }

    fn revoke(user_id: UserId) -> Command {
        Command::Revoke { user_id }
    }

    fn granted(user_id: UserId) -> SuperuserEvent {
        SuperuserGranted { user_id }
    }

    fn revoked(user_id: UserId) -> SuperuserEvent {
        SuperuserRevoked { user_id }
    }

    #[test]
    fn an_operator_makes_the_first_superuser() {
        given([]).when(grant_first(ADA)).then_expect_events(vec![granted(ADA)]);
    }

    #[test]
    fn an_operator_makes_the_first_superuser_once() {
        given([granted(ADA)]).when(grant_first(ADA)).then_expect_events(vec![]);
    }

    #[test]
    fn an_operator_makes_no_second_superuser() {
        given([granted(ADA)]).when(grant_first(GRACE)).then_expect_error(Error::NotTheFirst);
    }

    #[test]
    fn another_superuser_is_granted() {
        given([granted(ADA)]).when(grant(GRACE)).then_expect_events(vec![granted(GRACE)]);
    }

    #[test]
    fn another_superuser_is_granted_once() {
        given([granted(ADA), granted(GRACE)]).when(grant(GRACE)).then_expect_events(vec![]);
    }

    #[test]
    fn a_superuser_is_revoked() {
        given([granted(ADA), granted(GRACE)]).when(revoke(ADA)).then_expect_events(vec![revoked(ADA)]);
    }

    #[test]
    fn a_superuser_is_revoked_once() {
        given([granted(ADA), granted(GRACE), revoked(ADA)]).when(revoke(ADA)).then_expect_events(vec![]);
    }

    #[test]
    fn who_is_no_superuser_has_nothing_to_revoke() {
        given([]).when(revoke(ADA)).then_expect_events(vec![]);
        given([granted(ADA)]).when(revoke(GRACE)).then_expect_events(vec![]);
    }

    #[test]
    fn the_last_superuser_remains() {
        given([granted(ADA)]).when(revoke(ADA)).then_expect_error(Error::TheLast);
        given([granted(ADA), granted(GRACE), revoked(ADA)]).when(revoke(GRACE)).then_expect_error(Error::TheLast);
    }

    #[test]
    fn who_was_a_superuser_can_become_one_again() {
        given([granted(ADA), granted(GRACE), revoked(ADA)]).when(grant(ADA)).then_expect_events(vec![granted(ADA)]);
    }
}
