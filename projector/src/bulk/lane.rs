//! Threads that yield to those who serve requests.

use std::io;

use tokio::runtime::Handle;

/// Added to the thread's niceness (setpriority(2)); on Linux each thread has its own.
const NICER: i32 = 10;

/// Does something on a thread of its own until it is done; the runtime goes on doing what it waits for. Nothing is dropped in the middle: a COPY
/// that is broken off leaves its connection in a state that nobody expects.
///
/// # Errors
/// There is no thread to be had.
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = Handle::current();
    let run = move || {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::nice(NICER) {
            tracing::debug!(%error, "a thread cannot yield to others");
        }
        runtime.block_on(work);
    };
    std::thread::Builder::new().name("bulk".into()).spawn(run).map(drop)
}
