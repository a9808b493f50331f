//! What becomes of events that a fold cannot cope with.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `laid_aside` | they are parked, their streams behind them, and the rest goes on |
//! | `attended` | what operators do with them |
//! | `crashes` | whoever is in the way, and wherever a process ends: nothing is lost or done twice |
//! | `cuts` | however a history is cut, the same is parked |
//! | `doubles` | folds that cannot cope |

mod attended;
mod crashes;
mod cuts;
mod doubles;
mod laid_aside;
