//! Operating projections: what the admin listener of all in one and projector offers, asked for by its clients here.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `target`, `client` | which Tizza, and asking it |
//! | `projections` | how they are |
//! | `rebuild`, `verify`, `following` | what takes a while, watched |
//! | `told` | what a job came to, for people |
//! | `rollback`, `cleanup` | what is done at once |
//! | `explain` | the events behind one row |
//! | `parked` | events that could not be folded |
//! | `actions` | who changed what |
//! | `lines` | columns, for people |

pub mod actions;
pub mod cleanup;
mod client;
pub mod explain;
mod following;
mod lines;
pub mod parked;
pub mod projections;
pub mod rebuild;
pub mod rollback;
mod target;
mod told;
pub mod verify;

use std::io;

/// A result whose reader has seen enough, as `head` has, is none that failed.
pub fn unless_read_enough(done: anyhow::Result<()>) -> anyhow::Result<()> {
    match done {
        Err(error) if error.root_cause().downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => Ok(()),
        done => done,
    }
}
