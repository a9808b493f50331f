//! SIGINT and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGINT or SIGTERM. A second one ends the process at once.
///
/// # Errors
/// The system refuses to tell of signals.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            if first {
                tracing::info!(signal = name, "finishing what is in flight, then stopping");
                cancel.cancel();
            } else {
                tracing::warn!(signal = name, "stopping at once");
                std::process::exit(130);
            }
        }
    });
    Ok(token)
}
