//! Pizzas.

mod http;
pub mod parse;
pub mod policy;
#[cfg(test)]
mod tests;

use event_log::LinkChange;
use events::{
    PizzaEvent, PizzaId, PizzeriaId,
    pizzas::{Diet, PizzaDeletion},
};
use serde::{Deserialize, Serialize};
use service_kit::{Problem, Slug};

use crate::{aggregate, executor::Decider};
use PizzaEvent::{PizzaApprovalWithdrawn, PizzaApproved, PizzaChanged, PizzaCreated, PizzaDeleted};

pub use http::routes;

/// The links "pizza on the card of this pizzeria".
pub const OF_PIZZERIA: &str = "pizza_of_pizzeria";

/// What is on the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Its name.
    pub title: String,
    /// What is on it.
    pub description: String,
    /// A picture.
    pub thumbnail_url: Option<String>,
    /// What it is free of.
    pub diet: Option<Diet>,
}

/// What is to be different; what is kept is left out.
#[derive(Clone, Debug, Default)]
pub struct DetailsChange {
    /// Its name.
    pub title: Option<String>,
    /// What is on it.
    pub description: Option<String>,
    /// A picture.
    pub thumbnail_url: Option<Option<String>>,
    /// What it is free of.
    pub diet: Option<Option<Diet>>,
}

/// What can be done to a pizza.
#[derive(Clone, Debug)]
pub enum Command {
    /// Put it on the card, or, if it is there already, say all of it anew.
    Put {
        /// Which.
        pizza_id: PizzaId,
        /// Where it is baked.
        pizzeria_id: PizzeriaId,
        /// All of it.
        details: Details,
        /// Whether everyone may see it at once, if it is new.
        approve: bool,
    },
    /// Say something else about it.
    Change(DetailsChange),
    /// Let everyone see it.
    Approve,
    /// Let only owner and staff see it.
    WithdrawApproval {
        /// What is wrong with it.
        reason: Option<String>,
    },
    /// Take it off the card.
    Delete {
        /// Which.
        pizza_id: PizzaId,
        /// Who or what wants it.
        reason: PizzaDeletion,
    },
}

/// Why it cannot be done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such pizza.
    #[error("there is no such pizza")]
    Unknown,
    /// A pizza stays where it is baked.
    #[error("a pizza does not move to another pizzeria")]
    Moved,
    /// It is off the card.
    #[error("the pizza is deleted")]
    Deleted,
}

/// A pizza.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Pizza {
    /// Not on a card yet.
    #[default]
    Unknown,
    /// On the card.
    Listed {
        /// Where it is baked.
        pizzeria_id: PizzeriaId,
        /// Whether everyone may see it.
        approved: bool,
        /// What is on the card.
        details: Details,
    },
    /// Off the card.
    Deleted {
        /// Where it was baked.
        pizzeria_id: PizzeriaId,
    },
}

impl Pizza {
    /// Where it is or was baked.
    #[must_use]
    pub fn pizzeria(&self) -> Option<PizzeriaId> {
        match self {
            Self::Listed { pizzeria_id, .. } | Self::Deleted { pizzeria_id } => Some(*pizzeria_id),
            Self::Unknown => None,
        }
    }
}

impl Decider for Pizza {
    fn decide(&self, command: Command) -> Result<Vec<PizzaEvent>, Error> {
        match (command, self) {
            (Command::Put { pizza_id, pizzeria_id, details, approve }, Self::Unknown) => {
                Ok(create(pizza_id, pizzeria_id, details, approve))
            }
            (Command::Put { pizzeria_id: elsewhere, .. }, Self::Listed { pizzeria_id, .. }) if elsewhere != *pizzeria_id => {
                Err(Error::Moved)
            }
            (Command::Put { details: whole, .. }, Self::Listed { details, .. }) => Ok(details.changed(whole.into()).into_iter().collect()),
            (Command::Change(change), Self::Listed { details, .. }) => Ok(details.changed(change).into_iter().collect()),

            (Command::Change(_) | Command::Approve | Command::WithdrawApproval { .. } | Command::Delete { .. }, Self::Unknown) => {
                Err(Error::Unknown)
            }
            (Command::Put { .. } | Command::Change(_) | Command::Approve | Command::WithdrawApproval { .. }, Self::Deleted { .. }) => {
                Err(Error::Deleted)
            }
            (Command::Delete { .. }, Self::Deleted { .. }) => Ok(vec![]),

            (Command::Approve, Self::Listed { approved: true, .. }) => Ok(vec![]),
            (Command::Approve, Self::Listed { approved: false, .. }) => Ok(vec![PizzaApproved {}]),
            (Command::WithdrawApproval { .. }, Self::Listed { approved: false, .. }) => Ok(vec![]),
            (Command::WithdrawApproval { reason }, Self::Listed { approved: true, .. }) => Ok(vec![PizzaApprovalWithdrawn { reason }]),
            (Command::Delete { pizza_id, reason }, Self::Listed { .. }) => Ok(vec![PizzaDeleted { pizza_id, reason }]),
        }
    }

    fn evolve(&mut self, event: PizzaEvent) {
        match (event, &mut *self) {
            (PizzaCreated { pizzeria_id, title, description, thumbnail_url, diet, .. }, _) => {
                let details = Details { title, description, thumbnail_url, diet };
                *self = Self::Listed { pizzeria_id, approved: false, details };
            }
            (PizzaChanged { title, description, thumbnail_url, diet }, Self::Listed { details, .. }) => {
                details.title = title.unwrap_or_else(|| std::mem::take(&mut details.title));
                details.description = description.unwrap_or_else(|| std::mem::take(&mut details.description));
                details.thumbnail_url = thumbnail_url.unwrap_or_else(|| details.thumbnail_url.take());
                details.diet = diet.unwrap_or(details.diet);
            }
            (PizzaApproved {}, Self::Listed { approved, .. }) => *approved = true,
            (PizzaApprovalWithdrawn { .. }, Self::Listed { approved, .. }) => *approved = false,
            (PizzaDeleted { .. }, Self::Listed { pizzeria_id, .. }) => *self = Self::Deleted { pizzeria_id: *pizzeria_id },
            (
                PizzaChanged { .. } | PizzaApproved {} | PizzaApprovalWithdrawn { .. } | PizzaDeleted { .. },
                Self::Unknown | Self::Deleted { .. },
            ) => {}
        }
    }

    fn links(&self, event: &PizzaEvent) -> Vec<LinkChange> {
        let link = |pizzeria: PizzeriaId, present| vec![LinkChange { kind: OF_PIZZERIA, key: pizzeria.0, present }];
        match event {
            PizzaCreated { pizzeria_id, .. } => link(*pizzeria_id, true),
            PizzaDeleted { .. } => self.pizzeria().map_or(vec![], |pizzeria_id| link(pizzeria_id, false)),
            PizzaChanged { .. } | PizzaApproved {} | PizzaApprovalWithdrawn { .. } => vec![],
        }
    }
}

fn create(pizza_id: PizzaId, pizzeria_id: PizzeriaId, details: Details, approve: bool) -> Vec<PizzaEvent> {
    let Details { title, description, thumbnail_url, diet } = details;
    let created = PizzaCreated { pizza_id, pizzeria_id, title, description, thumbnail_url, diet };
    if approve { vec![created, PizzaApproved {}] } else { vec![created] }
}

impl From<Details> for DetailsChange {
    fn from(all: Details) -> Self {
        let Details { title, description, thumbnail_url, diet } = all;
        Self { title: Some(title), description: Some(description), thumbnail_url: Some(thumbnail_url), diet: Some(diet) }
    }
}

impl Details {
    /// What of a change is a change.
    fn changed(&self, change: DetailsChange) -> Option<PizzaEvent> {
        let title = change.title.filter(|title| *title != self.title);
        let description = change.description.filter(|description| *description != self.description);
        let thumbnail_url = change.thumbnail_url.filter(|url| *url != self.thumbnail_url);
        let diet = change.diet.filter(|diet| *diet != self.diet);
        let any = title.is_some() || description.is_some() || thumbnail_url.is_some() || diet.is_some();
        any.then_some(PizzaChanged { title, description, thumbnail_url, diet })
    }
}

aggregate!(Pizza, PizzaEvent);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unknown => Self::not_found(),
            Error::Moved => Self::new(Slug::Conflict, "A pizza stays where it is baked: its pizzeria_id never changes."),
            Error::Deleted => Self::new(Slug::Gone, "This pizza is off the card."),
        }
    }
}
