//! By what a repeated command is known.

use std::time::Duration;

use uuid::Uuid;

use crate::claim::ClaimKey;

/// An HMAC: neither what a client sent nor who it is can be told from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 32]);

/// A command's key and the fingerprint of its body, both HMACs with the server's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandKey {
    /// Unique over the whole log.
    pub key: Key,
    /// Of the body: under one key there is one command.
    pub fingerprint: Key,
    /// How long it is remembered; `None`: for ever.
    pub kept_for: Option<Duration>,
}

impl ClaimKey {
    /// The key of what a client sends: `parts` say who sends what under which name.
    #[must_use]
    pub fn of_client(&self, parts: &[&str], body: &[u8], kept_for: Duration) -> CommandKey {
        CommandKey {
            key: self.mac("command", parts.iter().map(|part| part.as_bytes())),
            fingerprint: self.mac("body", [body]),
            kept_for: Some(kept_for),
        }
    }

    /// The key of what a policy does to a stream because of an event: however often it reacts, it is done once.
    #[must_use]
    pub fn of_reaction(&self, policy: &str, event_id: Uuid, stream_id: Uuid) -> CommandKey {
        let key = self.mac("reaction", [policy.as_bytes(), event_id.as_bytes(), stream_id.as_bytes()]);
        CommandKey { key, fingerprint: key, kept_for: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_sender_one_request_and_one_name() {
        let key = ClaimKey::new([7; 32]);
        let of = |parts: &[&str], body: &[u8]| key.of_client(parts, body, Duration::ZERO);
        let first = of(&["ada", "POST", "/x", "1"], b"{}");
        assert_eq!(first, of(&["ada", "POST", "/x", "1"], b"{}"));
        assert_ne!(first.key, of(&["bob", "POST", "/x", "1"], b"{}").key);
        assert_ne!(first.key, of(&["ada", "POST", "/x1", ""], b"{}").key);
        let other_body = of(&["ada", "POST", "/x", "1"], b"[]");
        assert_eq!(first.key, other_body.key);
        assert_ne!(first.fingerprint, other_body.fingerprint);
    }
}
