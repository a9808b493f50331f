//! What may stand in an account.

use std::fmt;

use events::users::{Settings, Visibility};
use serde_json::Value;
use service_kit::{
    fields::{Broken, Change, Field, Patch, nested},
    request,
    text::Text,
};
use uuid::Uuid;

use super::passwords::NewPassword;

/// A given or family name.
pub type PersonName<const MAX: usize> = Text<0, MAX>;

/// Names that stand for something else in paths.
const RESERVED: [&str; 11] = ["me", "admin", "api", "login", "logout", "register", "static", "docs", "livez", "readyz", "metrics"];

/// 1–150 letters, digits and `@ . + - _`; not reserved, and nothing that looks like an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

impl Field for Username {
    fn read(value: &Value) -> Result<Self, Broken> {
        let text = String::from(Text::<1, 150>::read(value)?);
        if let Some(c) = text.chars().find(|c| !c.is_alphanumeric() && !"@.+-_".contains(*c)) {
            return Err(Broken::new("bad_character", format!("may hold letters, digits and @ . + - _ only, not {c:?}")));
        }
        if RESERVED.contains(&text.to_lowercase().as_str()) || Uuid::try_parse(&text).is_ok() {
            return Err(Broken::new("reserved", "is reserved"));
        }
        Ok(Self(text))
    }
}

impl Username {
    /// As typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

/// An address of at most 254 characters with an `@` between two parts. Whether it exists, only a mail can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Field for Email {
    fn read(value: &Value) -> Result<Self, Broken> {
        let text = String::from(Text::<1, 254>::read(value)?);
        let whole = text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if whole && !text.contains(char::is_whitespace) {
            Ok(Self(text))
        } else {
            Err(Broken::new("not_an_email", "must be an e-mail address"))
        }
    }
}

impl Email {
    /// As typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// A password that somebody claims to have: compared, never judged. Longer than any that can exist is a wrong one.
#[derive(Clone)]
pub struct GivenPassword(String);

impl GivenPassword {
    /// For comparing.
    #[must_use]
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenPassword(…)")
    }
}

impl Field for GivenPassword {
    fn read(value: &Value) -> Result<Self, Broken> {
        Text::<0, 1_024>::read(value).map(|text| Self(text.into()))
    }
}

request! {
    /// `POST /api/v1/users`
    pub struct SignUp {
        /// Unique.
        pub username: Username,
        /// Kept as a hash.
        pub password: NewPassword,
        /// Unique.
        pub email: Option<Email>,
        /// Given name.
        pub first_name: Option<PersonName<30>>,
        /// Family name.
        pub last_name: Option<PersonName<150>>,
    }
}

request! {
    /// `POST /api/v1/session`
    pub struct LogIn {
        /// Case does not matter.
        pub username: Text<0, 1_024>,
        /// Compared with the stored hash.
        pub password: GivenPassword,
    }
}

request! {
    /// `POST /api/v1/users/me/deletion`
    pub struct Deletion {
        /// The account's own: a stolen session is not enough.
        pub password: GivenPassword,
    }
}

request! {
    /// `PUT /api/v1/users/me/password`
    pub struct PasswordChange {
        /// The one in use.
        pub old_password: GivenPassword,
        /// The one to use from now on.
        pub new_password: NewPassword,
    }
}

request! {
    /// `PATCH /api/v1/users/me` (RFC 7396)
    pub struct ProfilePatch {
        /// Unique.
        pub email: Patch<Email>,
        /// Given name.
        pub first_name: Patch<PersonName<30>>,
        /// Family name.
        pub last_name: Patch<PersonName<150>>,
        /// Single settings.
        pub settings: Option<SettingsChange>,
    }
}

request! {
    /// Single settings; what is left out stays.
    pub struct SettingsChange {
        /// Who sees a meetup that the user organises, unless told.
        pub meetup_visibility_default: Change<VisibilityField>,
        /// A mail when a message mentions the user.
        pub mail_on_mention: Change<bool>,
        /// A mail when there is a meetup at a place that the user likes.
        pub mail_on_meetup: Change<bool>,
    }
}

impl SettingsChange {
    /// The settings after the change.
    #[must_use]
    pub fn of(self, before: Settings) -> Settings {
        Settings {
            meetup_visibility_default: self.meetup_visibility_default.0.map_or(before.meetup_visibility_default, |field| field.0),
            mail_on_mention: self.mail_on_mention.0.unwrap_or(before.mail_on_mention),
            mail_on_meetup: self.mail_on_meetup.0.unwrap_or(before.mail_on_meetup),
        }
    }
}

impl Field for SettingsChange {
    fn read(value: &Value) -> Result<Self, Broken> {
        nested(value)
    }
}

/// Who sees something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisibilityField(pub Visibility);

impl Field for VisibilityField {
    fn read(value: &Value) -> Result<Self, Broken> {
        serde_json::from_value(value.clone()).map(Self).map_err(|_| Broken::new("unknown", "must be private or public"))
    }
}

request! {
    /// `PUT /api/v1/users/{id}/suspension`; the body may be left out.
    pub struct Suspension {
        /// What for.
        pub reason: Option<Text<0, 240>>,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn usernames_are_made_of_letters_digits_and_five_signs() {
        for good in ["ada", "Ada.Lovelace+1@x_y-z", "Åsa", "七"] {
            assert!(Username::read(&json!(good)).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "me", "ADMIN", "01900000-0000-7000-8000-000000000001", &"x".repeat(151)] {
            assert!(Username::read(&json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_two_parts() {
        assert!(Email::read(&json!("ada@example.org")).is_ok());
        for bad in ["ada", "@x", "ada@", "a da@x"] {
            assert!(Email::read(&json!(bad)).is_err(), "{bad}");
        }
    }
}
