//! Folding: what becomes of a history in the read store's tables, on both databases.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `splits` | however a history is cut and interleaved, the rows are the same, and those that plain counting expects |
//! | `worker` | workers between a real log and a real read store |
//! | `standing_still` | what a projection does that cannot read an event, and what the others do |
//! | `operating`, `admin` | what operators ask for, by HTTP |
//! | `rebuilding`, `operator` | rebuilding, verifying and looking back while workers fold |
//! | `servers` | what a worker does when the read store's server crashes |
//! | `explained` | the events behind a row |
//! | `history` | histories as the domain writes them |
//! | `model` | what plain counting expects of a history |
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
mod rebuilding;
mod rows;
mod servers;
mod setup;
mod splits;
mod standing_still;
mod tally;
mod worker;
