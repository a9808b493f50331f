//! Unique names.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::command_key::Key;

/// A unique name as the log keeps it: HMAC-SHA-256 (RFC 2104) of kind and name. Without the server's key nobody can tell
/// which name it is, nor try names out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim(pub [u8; 32]);

/// The server's key for claims and for the keys of commands.
#[derive(Clone)]
pub struct ClaimKey([u8; 32]);

impl ClaimKey {
    /// Uses a secret key of 32 bytes.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The claim on `name` among the names of `kind`. The name must be folded already (case, normal form).
    #[must_use]
    pub fn claim(&self, kind: &str, name: &str) -> Claim {
        let mut mac = self.hmac();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(name.as_bytes());
        Claim(mac.finalize().into_bytes().into())
    }

    /// Parts are told apart by their lengths. No kind of claim begins with a zero byte, so no claim is ever one of these.
    pub(crate) fn mac<'a>(&self, purpose: &'a str, parts: impl IntoIterator<Item = &'a [u8]>) -> Key {
        let mut mac = self.hmac();
        mac.update(&[0]);
        for part in [purpose.as_bytes()].into_iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Key(mac.finalize().into_bytes().into())
    }

    fn hmac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_of_one_kind_one_name_and_one_key() {
        let key = ClaimKey::new([7; 32]);
        assert_eq!(key.claim("username", "ada"), key.claim("username", "ada"));
        assert_ne!(key.claim("username", "ada"), key.claim("email", "ada"));
        assert_ne!(key.claim("username", "ada"), ClaimKey::new([8; 32]).claim("username", "ada"));
        assert_ne!(key.claim("user", "nameada"), key.claim("username", "ada"));
    }
}
