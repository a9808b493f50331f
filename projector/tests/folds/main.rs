//! Folding: what becomes of a history in the read store's tables, on both databases.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `splits` | however a history is cut and interleaved, the rows are the same, and those that plain counting expects |
//! | `worker` | workers between a real log and a real read store |
//! | `parking` | what becomes of events that a fold cannot cope with |
//! | `operating`, `admin` | what operators ask for, by HTTP |
//! | `rebuilding`, `operator` | rebuilding, verifying and looking back while workers fold |
//! | `servers` | what a worker does when the read store's server crashes |
//! | `explained` | the events behind a row |
//! | `history` | histories as the domain writes them |
//! | `model` | what plain counting expects of a history |
//! | `polls` | a crash between any two statements |
//! | `tally` | a projection that counts events |
//! | `rows` | a read store that is folded into without a worker |
//! | `setup` | where tests have their stores |

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod explained;
mod history;
mod model;
mod operating;
mod operator;
mod parking;
mod polls;
mod rebuilding;
mod rows;
mod servers;
mod setup;
mod splits;
mod tally;
mod worker;
