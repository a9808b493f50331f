//! Places.

mod http;
pub mod policy;
#[cfg(test)]
mod tests;

use event_log::LinkChange;
use events::{Pii, PizzeriaEvent, PizzeriaId, UserId, pizzerias::PizzeriaClosure};
use serde::{Deserialize, Serialize};
use service_kit::{Problem, Slug};

use crate::{aggregate, executor::Decider};
use PizzeriaEvent::{PizzeriaChanged, PizzeriaClosed, PizzeriaOpened};

pub use http::routes;

/// The links "open pizzeria of this owner".
pub const OF_OWNER: &str = "pizzeria_of_owner";

/// How many places one owner may have.
pub const MAX_PER_OWNER: usize = 50;

/// What is known of a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// May be empty.
    pub name: String,
    /// Where it is.
    pub address: Pii<String>,
    /// How to call it.
    pub phone: Pii<String>,
}

/// What is to be different; what is kept is left out.
#[derive(Clone, Debug, Default)]
pub struct DetailsChange {
    /// May be empty.
    pub name: Option<String>,
    /// Where it is.
    pub address: Option<Pii<String>>,
    /// How to call it.
    pub phone: Option<Pii<String>>,
}

/// What can be done to a place.
#[derive(Clone, Debug)]
pub enum Command {
    /// Present it, or, if it is presented already, say all of it anew.
    Put {
        /// Which.
        pizzeria_id: PizzeriaId,
        /// Whose, if it is new.
        owner_id: UserId,
        /// How many the owner has already.
        owned: usize,
        /// All of it.
        details: Details,
    },
    /// Say something else about it.
    Change(DetailsChange),
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
    /// It is gone.
    #[error("the pizzeria is closed")]
    Closed,
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
        /// What is known of it.
        details: Details,
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
            Self::Open { owner_id, .. } | Self::Closed { owner_id } => Some(*owner_id),
            Self::Unknown => None,
        }
    }
}

impl Decider for Pizzeria {
    fn decide(&self, command: Command) -> Result<Vec<PizzeriaEvent>, Error> {
        match (command, self) {
            (Command::Put { owned, .. }, Self::Unknown) if owned >= MAX_PER_OWNER => Err(Error::TooMany),
            (Command::Put { pizzeria_id, owner_id, details, .. }, Self::Unknown) => {
                let Details { name, address, phone } = details;
                Ok(vec![PizzeriaOpened { pizzeria_id, owner_id, name, address, phone }])
            }
            (Command::Put { details: Details { name, address, phone }, .. }, Self::Open { details, .. }) => {
                let all = DetailsChange { name: Some(name), address: Some(address), phone: Some(phone) };
                Ok(details.changed(all).into_iter().collect())
            }
            (Command::Change(change), Self::Open { details, .. }) => Ok(details.changed(change).into_iter().collect()),
            (Command::Change(_) | Command::Close { .. }, Self::Unknown) => Err(Error::Unknown),
            (Command::Put { .. } | Command::Change(_), Self::Closed { .. }) => Err(Error::Closed),
            (Command::Close { .. }, Self::Closed { .. }) => Ok(vec![]),
            (Command::Close { reason }, Self::Open { .. }) => Ok(vec![PizzeriaClosed { reason }]),
        }
    }

    fn evolve(&mut self, event: PizzeriaEvent) {
        match (event, &mut *self) {
            (PizzeriaOpened { owner_id, name, address, phone, .. }, _) => {
                *self = Self::Open { owner_id, details: Details { name, address, phone } };
            }
            (PizzeriaChanged { name, address, phone }, Self::Open { details, .. }) => {
                details.name = name.unwrap_or_else(|| std::mem::take(&mut details.name));
                details.address = address.unwrap_or_else(|| details.address.clone());
                details.phone = phone.unwrap_or_else(|| details.phone.clone());
            }
            (PizzeriaClosed { .. }, Self::Open { owner_id, .. }) => *self = Self::Closed { owner_id: *owner_id },
            (PizzeriaChanged { .. } | PizzeriaClosed { .. }, Self::Unknown | Self::Closed { .. }) => {}
        }
    }

    fn links(&self, event: &PizzeriaEvent) -> Vec<LinkChange> {
        let link = |owner: UserId, present| vec![LinkChange { kind: OF_OWNER, key: owner.0, present }];
        match event {
            PizzeriaOpened { owner_id, .. } => link(*owner_id, true),
            PizzeriaChanged { .. } => vec![],
            PizzeriaClosed { .. } => self.owner().map_or(vec![], |owner_id| link(owner_id, false)),
        }
    }
}

impl Details {
    /// What of a change is a change.
    fn changed(&self, change: DetailsChange) -> Option<PizzeriaEvent> {
        let name = change.name.filter(|name| *name != self.name);
        let address = change.address.filter(|address| *address != self.address);
        let phone = change.phone.filter(|phone| *phone != self.phone);
        let any = name.is_some() || address.is_some() || phone.is_some();
        any.then_some(PizzeriaChanged { name, address, phone })
    }
}

aggregate!(Pizzeria, PizzeriaEvent);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unknown => Self::not_found(),
            Error::Closed => Self::new(Slug::Gone, "This pizzeria is closed."),
            Error::TooMany => Self::new(Slug::Conflict, format!("You have {MAX_PER_OWNER} pizzerias already, and may not have more.")),
        }
    }
}
