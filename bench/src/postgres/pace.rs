//! Requests at a constant rate, whatever the answers take. Each has its time, and from then on it is late: a sender that waits for answers
//! sends less just when they take long, and sees little of it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

const CONNECTIONS: usize = 64;
/// For the connections to be there.
const START: Duration = Duration::from_millis(100);

/// What is sent: where to, how fast, for how long.
#[derive(Clone, Copy, Debug)]
pub struct Pace<'a> {
    /// Host and port.
    pub address: &'a str,
    /// Requests a second.
    pub rate: f64,
    /// How long.
    pub seconds: u64,
}

impl Pace<'_> {
    /// Sends request 0, 1, 2, …; the answer is how long after its time each was answered, in no order.
    ///
    /// # Errors
    /// One was not answered, or with an error.
    pub fn send(self, request: impl Fn(u64) -> String + Sync) -> anyhow::Result<Vec<Duration>> {
        let (next, started) = (AtomicU64::new(0), Instant::now() + START);
        thread::scope(|scope| {
            let connections: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| self.one_connection(&next, started, &request))).collect();
            let mut took = vec![];
            for connection in connections {
                took.extend(connection.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??);
            }
            Ok(took)
        })
    }

    /// Whichever connection is free sends the next one.
    fn one_connection(self, next: &AtomicU64, started: Instant, request: impl Fn(u64) -> String) -> anyhow::Result<Vec<Duration>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let mut took = vec![];
        loop {
            let number = next.fetch_add(1, Relaxed);
            let due = Duration::from_secs_f64(number as f64 / self.rate);
            if due >= Duration::from_secs(self.seconds) {
                return Ok(took);
            }
            let request = request(number);
            thread::sleep((started + due).saturating_duration_since(Instant::now()));
            stream.write_all(request.as_bytes())?;
            accepted(&mut stream)?;
            took.push((started + due).elapsed());
        }
    }
}

/// Reads an answer to its end (RFC 9112, section 6.3: as long as it says).
fn accepted(stream: &mut impl Read) -> anyhow::Result<()> {
    let (mut answer, mut part) = (vec![], [0; 4_096]);
    loop {
        let read = stream.read(&mut part)?;
        ensure!(read > 0, "a connection was closed");
        answer.extend_from_slice(&part[..read]);
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..end])?;
        let length = head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.context("an answer without a length")?.1.trim().parse()?;
        if answer.len() < end + 4 + length {
            continue;
        }
        if !head.starts_with("HTTP/1.1 2") {
            bail!("answered with an error: {}", String::from_utf8_lossy(&answer));
        }
        return Ok(());
    }
}

/// The time that a share of all did not exceed.
///
/// # Panics
/// There are none.
pub fn quantile(took: &mut [Duration], share: f64) -> Duration {
    took.sort_unstable();
    let rank = (share * took.len() as f64).ceil() as usize;
    took[rank.clamp(1, took.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end() {
        let said = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        assert!(accepted(&mut said.as_bytes()).is_ok());
        assert!(accepted(&mut said.as_bytes().chain(&b"HTTP"[..])).is_ok());
        assert!(accepted(&mut said.replace("201", "503").as_bytes()).is_err());
        assert!(accepted(&mut &said.as_bytes()[..said.len() - 1]).is_err(), "it is not whole");
    }

    #[test]
    fn a_quantile_is_one_of_them() {
        let mut took: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile(&mut took, 0.5), Duration::from_millis(100));
        assert_eq!(quantile(&mut took, 0.99), Duration::from_millis(198));
        assert_eq!(quantile(&mut took[..1], 0.99), Duration::from_millis(1));
    }
}
