//! Parked events: those that a fold cannot cope with, and behind them the later ones of their streams. Everything else goes on.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`mod@sort`] | which events of a batch are folded, and which are parked: a pure decision |
//! | [`id`] | what operators call a parked event |
//! | [`attend`] | what operators do with parked events |
//! | `released` | a stream's parked events, while they are tried again |
//! | [`mod@fold`] | folding a batch, and parking the rest |
//! | [`reason`] | why an event cannot be folded, without a word of what is in it |
//! | `attempt` | folding a batch into some generations in one transaction, or in several where one event is in the way |
//! | `culprit` | which event of a stream it is |

pub(crate) mod attempt;
pub mod attend;
mod culprit;
pub mod fold;
pub mod id;
pub mod reason;
mod released;
pub mod sort;

use std::collections::BTreeMap;

use event_log::Position;

pub use attend::{Attendant, ParkingError, find, list};
pub use culprit::Culprit;
pub use fold::{fold, write};
pub use id::Id;
pub use reason::each;
pub use sort::{Discard, Known, Parking, Readable, Sorted, sort};

/// Events that a fold was tried with and cannot cope with, and why.
pub type Broken = BTreeMap<Position, String>;
