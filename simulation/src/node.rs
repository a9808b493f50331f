//! A process's way to the world: every call takes a while, and may fail before or after it was done.

use std::{future::poll_fn, io, task::Poll, time::Instant};

use crate::world::{State, World};

/// A process; clones are the same one.
#[derive(Clone, Debug)]
pub struct Node {
    pub world: World,
    pub number: usize,
    /// How fast its clock runs.
    pub rate: f64,
}

/// Lets others go on.
pub async fn pause() {
    let mut paused = false;
    poll_fn(|_| if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

pub fn away() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionReset, "played"))
}

impl Node {
    pub fn clock(&self) -> Instant {
        self.world.state().clock(self.rate)
    }

    /// A statement: the database may be away, and the answer may be lost after all was done.
    pub async fn ask<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T, sqlx::Error> {
        pause().await;
        let answer = {
            let mut state = self.world.state();
            if state.database_away || (!state.healed && state.chance(10)) {
                return Err(away());
            }
            effect(&mut state)
        };
        pause().await;
        let mut state = self.world.state();
        if !state.healed && state.chance(10) {
            state.count("an answer of a database was lost");
            return Err(away());
        }
        Ok(answer)
    }
}
