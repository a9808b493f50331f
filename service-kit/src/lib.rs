//! What every service of Tizza needs and no slice owns. It knows no word of the domain.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`config`] | settings that several programs share |
//! | [`secrets`] | the server's keys: from the environment, from files, or made at the first start |
//! | [`telemetry`] | log lines, metrics, traces: where they go |
//! | [`traces`] | spans on their way to a collector |
//! | [`metrics`] | what is counted and measured, for Prometheus |
//! | [`shutdown`] | SIGINT and SIGTERM |
//! | [`http`] | the frame around every request, and serving |
//! | [`problem`] | errors as clients see them |
//! | `fault` | a store's failure as a problem |
//! | [`fields`] | request bodies: parsed once, at the edge, with every error named |
//! | [`text`] | text that is valid by its type |
//! | [`time`] | times as they are written, in answers and in rows |
//! | [`token`] | consistency tokens |
//! | [`page`] | collections, a page at a time |
//! | [`identity`] | passwords and sessions |
//! | [`log`] | opening the log with the keys to what is sealed in it |
//! | [`health`] | the admin listener of every service |
//! | [`relaying`] | a relay inside a service |
//! | [`opening`] | what a service does until its stores are open |

pub mod config;
mod fault;
pub mod fields;
pub mod health;
pub mod http;
pub mod identity;
pub mod log;
pub mod metrics;
pub mod opening;
pub mod page;
pub mod problem;
pub mod relaying;
pub mod secrets;
pub mod shutdown;
pub mod telemetry;
pub mod text;
pub mod time;
pub mod token;
pub mod traces;

pub use problem::{Problem, Slug};

/// Password hashing takes 19 MiB at a time; the system's allocator would keep what is given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a program ends: in one clear line when something is wrong.
pub fn exit_code(result: anyhow::Result<()>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
