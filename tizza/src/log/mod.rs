//! Looking into the log. Nothing is written to it but an epoch, and what is sealed stays sealed unless somebody asks for it.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `envelope` | an event, as it is shown everywhere |
//! | `opened` | the log, and its keys where they are needed |
//! | `show`, `tail`, `trace` | a stream, what is new, all that followed from a request |
//! | `verify` | whether the log is as it must be |
//! | `export` | all of it, as lines |
//! | `new_epoch` | after a restore |

pub mod envelope;
mod export;
mod new_epoch;
mod opened;
mod show;
mod tail;
mod trace;
pub mod verify;

use std::io;

use clap::Subcommand;

/// What can be looked at.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print the events of a stream, oldest first
    Show(show::Show),
    /// Print events as they are written, until Ctrl-C
    Tail(tail::Tail),
    /// Print all that followed from one request, as a tree
    Trace(trace::Trace),
    /// Compare all that the log keeps with what its events say; exits with 1 when something is wrong
    Verify(verify::Verify),
    /// Write all events as lines of JSON, sealed, by partition and position
    Export(export::Export),
    /// Begin an epoch, once after each restore and while nothing else runs: tokens of before are refused, views that are ahead are built anew
    NewEpoch(new_epoch::NewEpoch),
}

impl Command {
    /// Does what was asked for.
    pub async fn run(self) -> anyhow::Result<()> {
        service_kit::telemetry::on_stderr();
        let done = match self {
            Self::Show(show) => show.run().await,
            Self::Tail(tail) => tail.run().await,
            Self::Trace(trace) => trace.run().await,
            Self::Verify(verify) => verify.run().await,
            Self::Export(export) => export.run().await,
            Self::NewEpoch(new_epoch) => new_epoch.run().await,
        };
        match done {
            // Who reads what is printed has seen enough, as `head` has.
            Err(error) if error.root_cause().downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => Ok(()),
            done => done,
        }
    }
}
