//! Unique names.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A unique name as the log keeps it: HMAC-SHA-256 (RFC 2104) of kind and name. Without the server's key nobody can tell
/// which name it is, nor try names out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim(pub [u8; 32]);

/// The server's key for claims.
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
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(name.as_bytes());
        Claim(mac.finalize().into_bytes().into())
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
