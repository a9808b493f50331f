//! Answers from rows that were really folded, on both databases.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `both` | every answer is the same, whichever database has the rows |
//! | `generations` | what clients see while generations come and go |
//! | `tags` | entity tags |
//! | `community` | what happened before |
//! | `setup` | the query side over it, and asking it |

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod both;
mod community;
mod generations;
mod setup;
mod tags;
