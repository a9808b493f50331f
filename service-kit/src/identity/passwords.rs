//! Passwords: argon2id, 19 MiB, 2 passes, 1 lane (the crate's defaults, RFC 9106 and OWASP's first choice for little
//! memory). Off the async threads, two at a time; 32 wait, the next is told to come back.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::{Semaphore, TryAcquireError};

use crate::{Problem, Slug};

const AT_ONCE: usize = 2;
const WAITING: usize = 32;

/// Verified for those who do not exist, so that they take as long: the hash of a password that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$pDrrSH9SXo3m0bUOtYCMp2XOrxr8hLVQfTtCPLsK4JM";

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many at once.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
    /// The hash function failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::new(Slug::Overloaded, "Too many are logging in; try again."),
            HashError::Store(error) => error.into(),
            HashError::Hash(_) => Self::internal(error),
        }
    }
}

pub struct Hasher {
    admitted: Semaphore,
    working: Semaphore,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { admitted: Semaphore::new(AT_ONCE + WAITING), working: Semaphore::new(AT_ONCE) }
    }
}

impl Hasher {
    pub async fn hash(&self, password: String) -> Result<String, HashError> {
        let hashed = move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string());
        self.run(hashed).await?.map_err(|e| HashError::Hash(e.to_string()))
    }

    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, HashError> {
        let verified = move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.into());
            let hash = PasswordHash::new(&hash).map_err(|e| HashError::Hash(e.to_string()))?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known)
        };
        self.run(verified).await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashError> {
        let _admitted = self.admitted.try_acquire().map_err(|e| match e {
            TryAcquireError::NoPermits => HashError::Busy,
            TryAcquireError::Closed => HashError::Hash("closed".into()),
        })?;
        let _working = self.working.acquire().await.map_err(|e| HashError::Hash(e.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|e| HashError::Hash(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_verified_against_its_own_hash_only() {
        let hasher = Hasher::default();
        let hash = hasher.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hasher.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("battery staple".into(), Some(hash)).await.unwrap());
        assert!(!hasher.verify("correct horse".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_to_come_back() {
        let hasher = Hasher::default();
        let all = (0..AT_ONCE + WAITING + 6).map(|_| hasher.run(std::thread::yield_now));
        let refused = futures::future::join_all(all).await.into_iter().filter(|r| matches!(r, Err(HashError::Busy))).count();
        assert_eq!(refused, 6);
    }
}
