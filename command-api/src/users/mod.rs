//! Accounts.

mod create_superuser;
mod http;
pub mod parse;
pub mod policy;
pub mod superusers;
#[cfg(test)]
mod tests;

use cqrs_es::{Aggregate, event_sink::EventSink};
use events::{Pii, UserEvent, UserId, ids::CredentialId, users::UserDeletion};
use serde::{Deserialize, Serialize};
use service_kit::{Problem, Slug};
use uuid::Uuid;

use crate::{
    executor::{Decider, Known, Look, forward},
    names::{Name, NameChange, NameKind},
};
use UserEvent::{UserDeleted, UserSignedUp};

pub use create_superuser::create_superuser;
pub use http::routes;
use parse::{Email, PersonName, Username};
use superusers::Superusers;

/// What can be done to an account.
#[derive(Clone, Debug)]
pub enum Command {
    /// Open it.
    SignUp {
        /// Whose.
        user_id: UserId,
        /// The password's hash, stored already.
        credential_id: CredentialId,
        /// Unique.
        username: Username,
        /// Unique.
        email: Option<Email>,
        /// Given name.
        first_name: Option<PersonName<30>>,
        /// Family name.
        last_name: Option<PersonName<150>>,
    },
    /// End it.
    Delete {
        /// Who wants it.
        reason: UserDeletion,
        /// Superusers are not deleted: their rights are revoked first.
        is_superuser: bool,
    },
}

/// Why it cannot be done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such account.
    #[error("there is no such account")]
    Unknown,
    /// The id is in use.
    #[error("there is an account with this id")]
    Exists,
    /// The account is gone.
    #[error("the account is deleted")]
    Deleted,
    /// It is a superuser's.
    #[error("a superuser cannot be deleted")]
    Superuser,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum User {
    /// Not opened yet.
    #[default]
    Unknown,
    /// Open.
    Active(Account),
    /// Gone.
    Deleted,
}

/// What is known of an open account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Whose.
    pub user_id: UserId,
    /// Names the password's hash.
    pub credential_id: CredentialId,
    /// As typed.
    pub username: Pii<String>,
    /// As typed.
    pub email: Option<Pii<String>>,
    /// Given name.
    pub first_name: Option<Pii<String>>,
    /// Family name.
    pub last_name: Option<Pii<String>>,
}

impl Decider for User {
    fn decide(&self, command: Command) -> Result<Vec<UserEvent>, Error> {
        match (command, self) {
            (Command::SignUp { user_id, credential_id, username, email, first_name, last_name }, Self::Unknown) => Ok(vec![UserSignedUp {
                user_id,
                credential_id,
                username: String::from(username).into(),
                email: email.map(|email| String::from(email).into()),
                first_name: first_name.map(|name| String::from(name).into()),
                last_name: last_name.map(|name| String::from(name).into()),
            }]),
            (Command::SignUp { .. }, Self::Active(_)) => Err(Error::Exists),
            (Command::SignUp { .. }, Self::Deleted) => Err(Error::Deleted),
            (Command::Delete { .. }, Self::Unknown) => Err(Error::Unknown),
            (Command::Delete { .. }, Self::Deleted) => Ok(vec![]),
            (Command::Delete { is_superuser: true, .. }, Self::Active(_)) => Err(Error::Superuser),
            (Command::Delete { reason, .. }, Self::Active(account)) => Ok(vec![UserDeleted { user_id: account.user_id, reason }]),
        }
    }

    /// Names are taken at sign-up and given back at the end.
    fn names(&self, event: &UserEvent) -> Vec<NameChange> {
        match event {
            UserSignedUp { username, email, .. } => names(username, email.as_ref()).map(NameChange::Take).collect(),
            UserDeleted { .. } => match self {
                Self::Active(account) => names(&account.username, account.email.as_ref()).map(NameChange::GiveBack).collect(),
                Self::Unknown | Self::Deleted => vec![],
            },
        }
    }
}

fn names<'a>(username: &'a Pii<String>, email: Option<&'a Pii<String>>) -> impl Iterator<Item = Name> + 'a {
    let username = username.clear().map(|name| Name::new(NameKind::Username, name));
    let email = email.and_then(Pii::clear).map(|email| Name::new(NameKind::Email, email));
    username.into_iter().chain(email)
}

impl Aggregate for User {
    const TYPE: &'static str = "user";
    type Command = Command;
    type Event = UserEvent;
    type Error = Error;
    type Services = ();

    async fn handle(&mut self, command: Command, (): &(), sink: &EventSink<Self>) -> Result<(), Error> {
        forward(self, command, sink).await
    }

    fn apply(&mut self, event: UserEvent) {
        *self = match event {
            UserSignedUp { user_id, credential_id, username, email, first_name, last_name } => {
                Self::Active(Account { user_id, credential_id, username, email, first_name, last_name })
            }
            UserDeleted { .. } => Self::Deleted,
        };
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unknown | Error::Deleted => Self::not_found(),
            Error::Exists => Self::new(Slug::Conflict, "There is an account with this id."),
            Error::Superuser => Self::new(Slug::Conflict, "This is a superuser: revoke that first."),
        }
    }
}

/// The account of somebody who is logged in. Whatever is decided now holds only as long as the account stays as it is.
///
/// # Errors
/// 401: it is gone.
pub async fn active(look: &Look, user_id: Uuid) -> Result<Account, Problem> {
    match look.find::<User>(user_id).await? {
        Some(Known { state: User::Active(account), .. }) => Ok(account),
        Some(Known { state: User::Unknown | User::Deleted, .. }) | None => Err(Problem::unauthenticated()),
    }
}

/// Whether somebody may do everything.
///
/// # Errors
/// The log is not available.
pub async fn is_superuser(look: &Look, user_id: Uuid) -> Result<bool, Problem> {
    let list = look.find::<Superusers>(events::ids::superusers()).await?;
    Ok(list.is_some_and(|known| known.state.members.contains(&UserId(user_id))))
}
