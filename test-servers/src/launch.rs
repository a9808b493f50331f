//! How a server comes up: on a free port, and not before it answers.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::process::{self, Folder, Guarded};

/// For a start, crash recovery included, and for what is left of a killed server to go away.
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Below the ports that the system gives to outgoing connections: none of them takes a server's port while it is down.
const PORTS: Range<u16> = 20_000..32_000;

/// A port that nobody listens on.
///
/// # Errors
/// There is none.
pub fn free_port() -> io::Result<u16> {
    let first = process::random() as usize % PORTS.len();
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = PORTS.cycle().skip(first).take(PORTS.len()).find(free);
    port.ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "every port is taken"))
}

/// Tries until nothing is in the way: another process may have taken the port since it was looked at, and what is left of a
/// killed server may hold what the next one needs.
///
/// # Errors
/// The last attempt's.
pub fn within_limit(mut attempt: impl FnMut(Instant) -> io::Result<()>) -> io::Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match attempt(deadline) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => sleep(POLL),
            launched => return launched,
        }
    }
}

/// Waits until a server answers.
///
/// # Errors
/// It has ended, or takes too long: with what it wrote. `ResourceBusy` if something is in its way.
pub fn answering(mut server: Guarded, folder: &Folder, deadline: Instant, answers: impl Fn() -> bool) -> io::Result<Guarded> {
    while !answers() {
        let ended = server.ended()?;
        if ended.is_none() && Instant::now() < deadline {
            sleep(POLL);
            continue;
        }
        let log = log(folder);
        let busy = ended.is_some() && log.contains("in use");
        let kind = if busy { io::ErrorKind::ResourceBusy } else { io::ErrorKind::Other };
        return Err(io::Error::new(kind, format!("{}{log}", if ended.is_some() { "" } else { "it takes too long\n" })));
    }
    Ok(server)
}

/// What the last server in a folder has written.
pub fn log(folder: &Folder) -> String {
    fs::read_to_string(folder.path.join("log")).unwrap_or_default()
}
