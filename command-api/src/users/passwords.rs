//! What makes a password one that is worth having.

use std::{collections::HashSet, fmt, sync::LazyLock};

use serde_json::Value;
use service_kit::{
    Problem,
    fields::{Broken, Field},
    problem::FieldError,
    text::Text,
};

/// The 10,000 most common ones, one a line, from the list that Django ships (BSD-3-Clause).
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common-passwords.txt").lines().collect());

/// From which on two texts are too much alike: Django's measure, by edit distance.
const TOO_SIMILAR: f64 = 0.7;

/// A password that somebody wants to use from now on: 8–128 characters, not digits alone, not a common one.
#[derive(Clone)]
pub struct NewPassword(String);

impl NewPassword {
    /// For hashing.
    #[must_use]
    pub fn into_inner(self) -> String {
        self.0
    }

    /// Refuses a password that says who its owner is.
    ///
    /// # Errors
    /// 400: it is like one of `values`, or a part of one; `field` is the password's.
    pub fn unlike<'a>(&self, field: &str, values: impl IntoIterator<Item = &'a str>) -> Result<(), Problem> {
        let password = self.0.to_lowercase();
        let parts = |value: &'a str| value.split(|c: char| !c.is_alphanumeric()).chain([value]);
        let told = values.into_iter().flat_map(parts).any(|part| is_like(&password, &part.to_lowercase()));
        if told {
            let detail = "is too similar to your username, e-mail address or name";
            return Err(Problem::validation(vec![FieldError::new(field, "too_similar", detail)]));
        }
        Ok(())
    }
}

fn is_like(password: &str, part: &str) -> bool {
    let mostly = password.contains(part) && part.len() * 2 > password.len();
    part.chars().count() >= 4 && (mostly || part.contains(password) || strsim::normalized_levenshtein(password, part) >= TOO_SIMILAR)
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(…)")
    }
}

impl Field for NewPassword {
    fn read(value: &Value) -> Result<Self, Broken> {
        let text = String::from(Text::<8, 128>::read(value)?);
        if text.chars().all(char::is_numeric) {
            return Err(Broken::new("all_digits", "must not be digits alone"));
        }
        if COMMON.contains(text.to_lowercase().as_str()) {
            return Err(Broken::new("too_common", "is too common"));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(password: &str) -> &'static str {
        NewPassword::read(&json!(password)).map_or_else(|broken| broken.code, |_| "")
    }

    #[test]
    fn a_password_is_long_enough_not_only_digits_and_not_a_common_one() {
        assert_eq!(refused("quattro formaggi"), "");
        assert_eq!(refused("1234567"), "too_short");
        assert_eq!(refused(&"x".repeat(129)), "too_long");
        assert_eq!(refused("73519264"), "all_digits");
        assert_eq!(refused("PassWord1"), "too_common");
        assert_eq!(COMMON.len(), 10_000);
    }

    #[test]
    fn a_password_does_not_say_who_one_is() {
        let like = |password: &str, value: &str| NewPassword::read(&json!(password)).unwrap().unlike("password", [value]).is_err();
        assert!(like("lovelace1", "Lovelace"));
        assert!(like("Lovelace!", "ada.lovelace@example.org"));
        assert!(like("ada.lovelace", "ada.lovelace"));
        assert!(!like("quattro formaggi", "ada.lovelace@example.org"));
        assert!(!like("the cat sat on a mat", "cat"));
    }

    #[test]
    fn a_password_is_never_printed() {
        assert!(!format!("{:?}", NewPassword::read(&json!("quattro formaggi")).unwrap()).contains("formaggi"));
    }
}
