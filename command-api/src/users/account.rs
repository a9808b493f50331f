//! What is known of an open account, and how that changes.

use events::{Pii, UserEvent, UserId, ids::CredentialId, users::Settings};
use serde::{Deserialize, Serialize};
use service_kit::fields::Patch;

use super::{Command, Error, ProfileChange};
use UserEvent::{PasswordChanged, ProfileChanged, StaffGranted, StaffRevoked, UserDeleted, UserReinstated, UserSignedUp, UserSuspended};

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
    /// As chosen.
    pub settings: Settings,
    /// Whether the person is a member of staff.
    pub is_staff: bool,
    /// Whether the person is shut out.
    pub suspended: bool,
}

impl Account {
    /// What a command leads to.
    pub(super) fn decide(&self, command: Command) -> Result<Vec<UserEvent>, Error> {
        let once = |already: bool, event: UserEvent| if already { vec![] } else { vec![event] };
        match command {
            Command::SignUp { .. } => Err(Error::Exists),
            Command::ChangePassword { credential_id } => Ok(once(self.credential_id == credential_id, PasswordChanged { credential_id })),
            Command::ChangeProfile(change) => Ok(self.changed(change).into_iter().collect()),
            Command::Suspend { is_superuser: true, .. } | Command::Delete { is_superuser: true, .. } => Err(Error::Superuser),
            Command::Suspend { reason, .. } => Ok(once(self.suspended, UserSuspended { reason: reason.map(Into::into) })),
            Command::Reinstate => Ok(once(!self.suspended, UserReinstated {})),
            Command::SetStaff { is_staff: true } => Ok(once(self.is_staff, StaffGranted {})),
            Command::SetStaff { is_staff: false } => Ok(once(!self.is_staff, StaffRevoked {})),
            Command::Delete { reason, .. } => Ok(vec![UserDeleted { user_id: self.user_id, reason }]),
        }
    }

    /// What of a change is a change.
    fn changed(&self, change: ProfileChange) -> Option<UserEvent> {
        fn personal<T: Into<String>>(wish: Patch<T>, now: Option<&Pii<String>>) -> Option<Option<Pii<String>>> {
            let wanted = wish.wish()?.map(Into::into).filter(|text| !text.is_empty()).map(Pii::Clear);
            (wanted.as_ref() != now).then_some(wanted)
        }
        let email = personal(change.email, self.email.as_ref());
        let first_name = personal(change.first_name, self.first_name.as_ref());
        let last_name = personal(change.last_name, self.last_name.as_ref());
        let settings = change.settings.map(|change| change.of(self.settings)).filter(|settings| *settings != self.settings);
        let any = email.is_some() || first_name.is_some() || last_name.is_some() || settings.is_some();
        any.then_some(ProfileChanged { email, first_name, last_name, settings })
    }

    pub(super) fn apply(&mut self, event: UserEvent) {
        match event {
            PasswordChanged { credential_id } => self.credential_id = credential_id,
            ProfileChanged { email, first_name, last_name, settings } => {
                self.email = email.unwrap_or_else(|| self.email.take());
                self.first_name = first_name.unwrap_or_else(|| self.first_name.take());
                self.last_name = last_name.unwrap_or_else(|| self.last_name.take());
                self.settings = settings.unwrap_or(self.settings);
            }
            UserSuspended { .. } => self.suspended = true,
            UserReinstated {} => self.suspended = false,
            StaffGranted {} => self.is_staff = true,
            StaffRevoked {} => self.is_staff = false,
            UserSignedUp { .. } | UserDeleted { .. } => {}
        }
    }
}
