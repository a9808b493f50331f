//! Places.

mod http;
pub mod policy;
#[cfg(test)]
mod tests;

use cqrs_es::{Aggregate, event_sink::EventSink};
use event_log::LinkChange;
use events::{PizzeriaEvent, PizzeriaId, UserId, pizzerias::PizzeriaClosure};
use serde::{Deserialize, Serialize};
use service_kit::{Problem, Slug, text::Text};

use crate::executor::{Decider, forward};
use PizzeriaEvent::{PizzeriaClosed, PizzeriaOpened};

pub use http::routes;

/// The links "open pizzeria of this owner".
pub const OF_OWNER: &str = "pizzeria_of_owner";

/// How many places one owner may have.
pub const MAX_PER_OWNER: usize = 50;

/// What can be done to a place.
#[derive(Clone, Debug)]
pub enum Command {
    /// Present it.
    Open {
        /// Which.
        pizzeria_id: PizzeriaId,
        /// Whose.
        owner_id: UserId,
        /// How many the owner has already.
        owned: usize,
        /// May be empty.
        name: Text<0, 120>,
        /// Where it is.
        address: Text<1, 512>,
        /// How to call it.
        phone: Text<1, 40>,
    },
    /// End it.
    Close {
        /// Who or what wants it.
        reason: PizzeriaClosure,
    },
}

/// Why it cannot be done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such place.
    #[error("there is no such pizzeria")]
    Unknown,
    /// The id is in use.
    #[error("there is a pizzeria with this id")]
    Exists,
    /// The owner has as many as one may have.
    #[error("the owner has {MAX_PER_OWNER} pizzerias already")]
    TooMany,
}

/// A place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Pizzeria {
    /// Not presented yet.
    #[default]
    Unknown,
    /// Open.
    Open {
        /// Whose.
        owner_id: UserId,
    },
    /// Gone.
    Closed {
        /// Whose it was.
        owner_id: UserId,
    },
}

impl Pizzeria {
    /// Whose it is or was.
    #[must_use]
    pub fn owner(&self) -> Option<UserId> {
        match self {
            Self::Open { owner_id } | Self::Closed { owner_id } => Some(*owner_id),
            Self::Unknown => None,
        }
    }
}

impl Decider for Pizzeria {
    fn decide(&self, command: Command) -> Result<Vec<PizzeriaEvent>, Error> {
        match (command, self) {
            (Command::Open { .. }, Self::Open { .. } | Self::Closed { .. }) => Err(Error::Exists),
            (Command::Open { owned, .. }, Self::Unknown) if owned >= MAX_PER_OWNER => Err(Error::TooMany),
            (Command::Open { pizzeria_id, owner_id, name, address, phone, .. }, Self::Unknown) => Ok(vec![PizzeriaOpened {
                pizzeria_id,
                owner_id,
                name: name.into(),
                address: String::from(address).into(),
                phone: String::from(phone).into(),
            }]),
            (Command::Close { .. }, Self::Unknown) => Err(Error::Unknown),
            (Command::Close { .. }, Self::Closed { .. }) => Ok(vec![]),
            (Command::Close { reason }, Self::Open { .. }) => Ok(vec![PizzeriaClosed { reason }]),
        }
    }

    fn links(&self, event: &PizzeriaEvent) -> Vec<LinkChange> {
        let link = |owner: UserId, present| vec![LinkChange { kind: OF_OWNER, key: owner.0, present }];
        match event {
            PizzeriaOpened { owner_id, .. } => link(*owner_id, true),
            PizzeriaClosed { .. } => self.owner().map_or(vec![], |owner_id| link(owner_id, false)),
        }
    }
}

impl Aggregate for Pizzeria {
    const TYPE: &'static str = "pizzeria";
    type Command = Command;
    type Event = PizzeriaEvent;
    type Error = Error;
    type Services = ();

    async fn handle(&mut self, command: Command, (): &(), sink: &EventSink<Self>) -> Result<(), Error> {
        forward(self, command, sink).await
    }

    fn apply(&mut self, event: PizzeriaEvent) {
        *self = match (event, self.owner()) {
            (PizzeriaOpened { owner_id, .. }, _) => Self::Open { owner_id },
            (PizzeriaClosed { .. }, Some(owner_id)) => Self::Closed { owner_id },
            (PizzeriaClosed { .. }, None) => Self::Unknown,
        };
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unknown => Self::not_found(),
            Error::Exists => Self::new(Slug::Conflict, "There is a pizzeria with this id."),
            Error::TooMany => Self::new(Slug::Conflict, format!("You have {MAX_PER_OWNER} pizzerias already, and may not have more.")),
        }
    }
}
