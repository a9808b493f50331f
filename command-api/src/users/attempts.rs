//! How often somebody may fail to log in: more than 10 times in 15 minutes, for an account or from an address, is too often.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::http::{HeaderValue, header};
use moka::sync::Cache;
use service_kit::{Problem, Slug};

const MOST: usize = 10;
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Whose failures are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(IpAddr),
}

/// Failures of the last 15 minutes, in this process.
#[derive(Clone)]
pub struct Attempts(Cache<Key, Arc<Mutex<VecDeque<Instant>>>>);

impl Default for Attempts {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(100_000).time_to_idle(WINDOW).build())
    }
}

impl Attempts {
    /// Whether another attempt is allowed.
    ///
    /// # Errors
    /// 429: there were too many failures; `Retry-After` says how long that lasts.
    pub fn allow(&self, account: &str, address: IpAddr, now: Instant) -> Result<(), Problem> {
        for key in [Key::Account(account.into()), Key::Address(address)] {
            let Some(failures) = self.0.get(&key) else { continue };
            let mut failures = failures.lock().expect("no panic while it is held");
            while failures.front().is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW) {
                failures.pop_front();
            }
            if failures.len() > MOST {
                let wait = WINDOW.saturating_sub(failures.front().map_or(WINDOW, |at| now.saturating_duration_since(*at)));
                return Err(too_many(wait));
            }
        }
        Ok(())
    }

    /// Counts a failure.
    pub fn failed(&self, account: &str, address: IpAddr, now: Instant) {
        for key in [Key::Account(account.into()), Key::Address(address)] {
            let failures = self.0.get_with(key, Arc::default);
            let mut failures = failures.lock().expect("no panic while it is held");
            failures.push_back(now);
            if failures.len() > MOST + 1 {
                failures.pop_front();
            }
        }
    }

    /// Forgets an account's failures: its owner knew the password in the end.
    pub fn succeeded(&self, account: &str) {
        self.0.invalidate(&Key::Account(account.into()));
    }
}

fn too_many(wait: Duration) -> Problem {
    let mut problem = Problem::new(Slug::RateLimited, "Too many failed log-ins; try again later.");
    problem.headers.push((header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1)));
    problem
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn more_than_ten_failures_in_fifteen_minutes_are_too_many() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        for _ in 0..11 {
            assert!(attempts.allow("ada", HERE, start).is_ok());
            attempts.failed("ada", HERE, start);
        }
        assert_eq!(attempts.allow("ada", THERE, start).unwrap_err().slug, Slug::RateLimited, "for the account");
        assert_eq!(attempts.allow("bob", HERE, start).unwrap_err().slug, Slug::RateLimited, "from the address");
        assert!(attempts.allow("bob", THERE, start).is_ok());
        assert!(attempts.allow("ada", HERE, start + WINDOW).is_ok(), "fifteen minutes later");
    }

    #[test]
    fn who_knew_the_password_in_the_end_starts_anew() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        (0..11).for_each(|_| attempts.failed("ada", HERE, start));
        attempts.succeeded("ada");
        assert!(attempts.allow("ada", THERE, start).is_ok());
    }
}
