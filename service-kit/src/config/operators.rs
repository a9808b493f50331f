//! Who may operate: a token, for the admin listener's operations and for whoever asks them.

use std::{fmt, net::IpAddr, path::PathBuf};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;

use super::{ConfigError, text_in};

/// The setting of the token.
const TOKEN: &str = "ADMIN_TOKEN";
/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// Who may operate.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Operators")]
pub struct Operators {
    /// File of the token that operators show to the admin listener; the environment's ADMIN_TOKEN is another way [default: a new one at each
    /// start, in DATA_DIR/run]
    #[arg(long, env, value_name = "PATH")]
    admin_token_file: Option<PathBuf>,
}

impl Operators {
    /// The token that was set, if one was.
    ///
    /// # Errors
    /// It is not one, or was set twice.
    pub fn token(&self) -> Result<Option<AdminToken>, ConfigError> {
        self.or_token(std::env::var(TOKEN).ok())
    }

    fn or_token(&self, token: Option<String>) -> Result<Option<AdminToken>, ConfigError> {
        match (token, &self.admin_token_file) {
            (Some(_), Some(_)) => Err(ConfigError::new("ADMIN_TOKEN_FILE", "ADMIN_TOKEN is set as well: only one of them")),
            (Some(token), None) => AdminToken::parse(TOKEN, token).map(Some),
            (None, Some(path)) => AdminToken::parse("ADMIN_TOKEN_FILE", text_in("ADMIN_TOKEN_FILE", path)?).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The token that operators must show to a listener.
    ///
    /// # Errors
    /// It cannot be used, or the system has no randomness.
    pub fn access(&self, listens: IpAddr) -> Result<Access, ConfigError> {
        match self.token()? {
            Some(token) => Ok(Access::Set(token)),
            None if listens.is_loopback() => AdminToken::random().map(Access::Made),
            None => Ok(Access::Closed),
        }
    }
}

/// Who gets to operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Who shows this, as operators know.
    Set(AdminToken),
    /// Who shows this, which was made for this run.
    Made(AdminToken),
    /// Nobody: other machines reach the listener, and no token was set.
    Closed,
}

/// What operators show. It has no `Display`, and `Debug` does not show it.
#[derive(Clone)]
pub struct AdminToken(String);

impl AdminToken {
    /// A token of `setting`.
    ///
    /// # Errors
    /// It is too short, or holds what a header cannot.
    pub fn parse(setting: &'static str, token: String) -> Result<Self, ConfigError> {
        if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::new(setting, format!("expected at least {SHORTEST} visible ASCII characters, without spaces")));
        }
        Ok(Self(token))
    }

    fn random() -> Result<Self, ConfigError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|e| ConfigError::new(TOKEN, format!("none can be made: {e}")))?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The token itself.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// Whether a request shows it (RFC 6750, section 2.1). How long this takes says nothing about the token but its length.
    #[must_use]
    pub fn is_shown(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        given.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && self.is(token.trim()))
    }

    fn is(&self, token: &str) -> bool {
        self.0.len() == token.len() && openssl::memcmp::eq(self.0.as_bytes(), token.as_bytes())
    }
}

impl PartialEq for AdminToken {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for AdminToken {}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::http::HeaderValue;

    use super::*;

    const SECRET: &str = "quattro-formaggi";

    fn operators(admin_token_file: Option<PathBuf>) -> Operators {
        Operators { admin_token_file }
    }

    #[test]
    fn a_token_is_in_the_environment_or_in_a_file_and_not_in_both() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();
        let from_file = operators(Some(file.path().into()));
        let found = from_file.or_token(None).unwrap().unwrap();
        assert_eq!(found.secret(), SECRET);
        assert_eq!(operators(None).or_token(Some(SECRET.into())).unwrap(), Some(found));
        assert_eq!(operators(None).or_token(None).unwrap(), None);
        assert_eq!(from_file.or_token(Some(SECRET.into())).unwrap_err().setting, "ADMIN_TOKEN_FILE");
        for wrong in ["", "short", "quattro formaggi", "quattro-formaggi\u{e9}"] {
            let refused = operators(None).or_token(Some(wrong.into())).unwrap_err();
            assert!(refused.setting == "ADMIN_TOKEN" && (wrong.is_empty() || !refused.to_string().contains(wrong)), "{refused}");
        }
    }

    #[test]
    fn a_token_that_was_not_set_is_made_anew_and_only_for_this_machine() {
        let access = |address: [u8; 4]| operators(None).access(Ipv4Addr::from(address).into()).unwrap();
        let (one, other) = (access([127, 0, 0, 1]), access([127, 0, 0, 1]));
        assert!(matches!(&one, Access::Made(token) if token.secret().len() == 43) && one != other, "{one:?}");
        assert_eq!(access([0, 0, 0, 0]), Access::Closed);
        assert!(!format!("{:?}", AdminToken(SECRET.into())).contains(SECRET));
    }

    #[test]
    fn only_who_shows_the_token_gets_in() {
        let token = AdminToken(SECRET.into());
        let shown = |text: &'static str| token.is_shown(&HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(text))]));
        assert!(shown("Bearer quattro-formaggi") && shown("bearer  quattro-formaggi"));
        for wrong in
            ["Bearer quattro-formaggI", "Bearer quattro-formagg", "Basic quattro-formaggi", "quattro-formaggi", "Bearer ", "Bearer", ""]
        {
            assert!(!shown(wrong), "{wrong}");
        }
        assert!(!token.is_shown(&HeaderMap::new()));
    }
}
