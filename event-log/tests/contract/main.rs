//! The log's contract: one suite for both databases, each case asserting on what is stored.
//!
//! | module | what it is about |
//! | --- | --- |
//! | `place`, `stored` | a log of one's own; its rows, read past it |
//! | `appends`, `edges` | versions; what must not be stored |
//! | `order` | positions without gaps, as seen while others write, stall and roll back |
//! | `repeats` | commands with keys |
//! | `claims`, `reads`, `strangers` | names, what decisions rest on, streams that are not what they are taken for |
//! | `batches` | the same within one batch, and a member that the database refuses |
//! | `processes` | several at work on one log |
//! | `resends`, `outages`, `gone`, `disk` | lost connections, lost servers, lost callers, lost room |
//! | `operators` | who changed what, and where the log was at a time |
//! | `policies` | leases, checkpoints, parked events |
//! | `sealing`, `erasure` | personal values |
//! | `stores` | opening |
//! | `verify` | finding damage |
//! | `kafka` | the log on a topic |
//! | `moving` | taking the log to another database |

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod appends;
mod batches;
mod claims;
mod disk;
mod edges;
mod erasure;
mod gone;
mod kafka;
mod moving;
mod operators;
mod order;
mod outages;
mod place;
mod policies;
mod processes;
mod reads;
mod repeats;
mod resends;
mod sealing;
mod stored;
mod stores;
mod strangers;
mod verify;
