//! Accounts.

mod account;
mod accounts;
mod attempts;
mod create_superuser;
mod erased;
mod forms;
pub mod parse;
pub mod passwords;
pub mod policy;
mod sessions;
mod staff;
pub mod superusers;
#[cfg(test)]
mod tests;

use axum::Router;
use events::{
    Pii, UserEvent, UserId,
    ids::CredentialId,
    users::{Settings, UserDeletion},
};
use serde::{Deserialize, Serialize};
use service_kit::{Problem, Slug, fields::Patch};
use uuid::Uuid;

use crate::{
    App, aggregate,
    executor::{Decider, Known, Look},
    names::{Name, NameChange, NameKind},
};
use UserEvent::{PasswordChanged, ProfileChanged, StaffGranted, StaffRevoked, UserDeleted, UserReinstated, UserSignedUp, UserSuspended};

pub use account::Account;
pub(crate) use attempts::Attempts;
pub use create_superuser::create_superuser;
pub use erased::delete_erased;
use parse::{Email, PersonName, SettingsChange, Username};
use superusers::Superusers;

/// The slice's routes.
pub fn routes() -> Router<App> {
    accounts::routes().merge(forms::routes()).merge(sessions::routes()).merge(staff::routes())
}

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
    /// Use another password from now on.
    ChangePassword {
        /// The new password's hash, stored already.
        credential_id: CredentialId,
    },
    /// Say something else about oneself.
    ChangeProfile(ProfileChange),
    /// Shut the person out.
    Suspend {
        /// What for.
        reason: Option<String>,
        /// Superusers are not suspended: their rights are revoked first.
        is_superuser: bool,
    },
    /// Let the person in again.
    Reinstate,
    /// Make the person a member of staff, or no member any more.
    SetStaff {
        /// Which.
        is_staff: bool,
    },
    /// End it.
    Delete {
        /// Who wants it.
        reason: UserDeletion,
        /// Superusers are not deleted: their rights are revoked first.
        is_superuser: bool,
    },
}

/// What is to be different; what is kept is left out.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// Unique.
    pub email: Patch<Email>,
    /// Given name.
    pub first_name: Patch<PersonName<30>>,
    /// Family name.
    pub last_name: Patch<PersonName<150>>,
    /// Single settings.
    pub settings: Option<SettingsChange>,
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
            (Command::Delete { .. }, Self::Deleted) => Ok(vec![]),
            (_, Self::Unknown) => Err(Error::Unknown),
            (_, Self::Deleted) => Err(Error::Deleted),
            (command, Self::Active(account)) => account.decide(command),
        }
    }

    fn evolve(&mut self, event: UserEvent) {
        match (event, &mut *self) {
            (UserSignedUp { user_id, credential_id, username, email, first_name, last_name }, _) => {
                let (settings, is_staff, suspended) = (Settings::default(), false, false);
                *self =
                    Self::Active(Account { user_id, credential_id, username, email, first_name, last_name, settings, is_staff, suspended });
            }
            (UserDeleted { .. }, _) => *self = Self::Deleted,
            (event, Self::Active(account)) => account.apply(event),
            (_, Self::Unknown | Self::Deleted) => {}
        }
    }

    /// Names are taken at sign-up, exchanged when the address changes, and given back at the end.
    fn names(&self, event: &UserEvent) -> Vec<NameChange> {
        match (event, self) {
            (UserSignedUp { username, email, .. }, _) => names(username, email.as_ref()).map(NameChange::Take).collect(),
            (ProfileChanged { email: Some(after), .. }, Self::Active(before)) => {
                let before = before.email.iter().filter_map(email_name).map(NameChange::GiveBack);
                before.chain(after.iter().filter_map(email_name).map(NameChange::Take)).collect()
            }
            (UserDeleted { .. }, Self::Active(account)) => {
                names(&account.username, account.email.as_ref()).map(NameChange::GiveBack).collect()
            }
            (
                PasswordChanged { .. }
                | ProfileChanged { .. }
                | UserSuspended { .. }
                | UserReinstated {}
                | StaffGranted {}
                | StaffRevoked {}
                | UserDeleted { .. },
                _,
            ) => vec![],
        }
    }
}

fn names<'a>(username: &'a Pii<String>, email: Option<&'a Pii<String>>) -> impl Iterator<Item = Name> + 'a {
    let username = username.clear().map(|name| Name::new(NameKind::Username, name));
    username.into_iter().chain(email.and_then(email_name))
}

fn email_name(email: &Pii<String>) -> Option<Name> {
    email.clear().map(|email| Name::new(NameKind::Email, email))
}

aggregate!(User, UserEvent);

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
/// 401: it is gone, or its owner is shut out.
pub async fn active(look: &Look, user_id: Uuid) -> Result<Account, Problem> {
    match look.find::<User>(user_id).await? {
        Some(Known { state: User::Active(account), .. }) if !account.suspended => Ok(account),
        Some(Known { state: User::Unknown | User::Active(_) | User::Deleted, .. }) | None => Err(Problem::unauthenticated()),
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

/// Whether somebody may do what staff may do. Every member of staff may do all of it.
///
/// # Errors
/// The log is not available.
pub async fn is_staff(look: &Look, account: &Account) -> Result<bool, Problem> {
    Ok(account.is_staff || is_superuser(look, account.user_id.0).await?)
}
