//! Pizzas.

mod http;
pub mod parse;
pub mod policy;
#[cfg(test)]
mod tests;

use cqrs_es::{Aggregate, event_sink::EventSink};
use event_log::LinkChange;
use events::{
    PizzaEvent, PizzaId, PizzeriaId,
    pizzas::{Diet, PizzaDeletion},
};
use serde::{Deserialize, Serialize};
use service_kit::{Problem, Slug};

use crate::executor::{Decider, forward};
use PizzaEvent::{PizzaApprovalWithdrawn, PizzaApproved, PizzaCreated, PizzaDeleted};

pub use http::routes;

/// The links "pizza on the card of this pizzeria".
pub const OF_PIZZERIA: &str = "pizza_of_pizzeria";

/// What can be done to a pizza.
#[derive(Clone, Debug)]
pub enum Command {
    /// Put it on the card.
    Create {
        /// What it is.
        pizza: NewPizza,
        /// Whether everyone may see it at once.
        approve: bool,
    },
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

/// A pizza to be put on a card.
#[derive(Clone, Debug)]
pub struct NewPizza {
    /// Which.
    pub pizza_id: PizzaId,
    /// Where it is baked.
    pub pizzeria_id: PizzeriaId,
    /// Its name on the card.
    pub title: String,
    /// What is on it.
    pub description: String,
    /// A picture.
    pub thumbnail_url: Option<String>,
    /// What it is free of.
    pub diet: Option<Diet>,
}

/// Why it cannot be done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such pizza.
    #[error("there is no such pizza")]
    Unknown,
    /// The id is in use.
    #[error("there is a pizza with this id")]
    Exists,
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
            (Command::Create { pizza, approve }, Self::Unknown) => Ok(create(pizza, approve)),
            (Command::Create { .. }, Self::Listed { .. } | Self::Deleted { .. }) => Err(Error::Exists),

            (Command::Approve | Command::WithdrawApproval { .. } | Command::Delete { .. }, Self::Unknown) => Err(Error::Unknown),
            (Command::Approve | Command::WithdrawApproval { .. }, Self::Deleted { .. }) => Err(Error::Deleted),
            (Command::Delete { .. }, Self::Deleted { .. }) => Ok(vec![]),

            (Command::Approve, Self::Listed { approved: true, .. }) => Ok(vec![]),
            (Command::Approve, Self::Listed { approved: false, .. }) => Ok(vec![PizzaApproved {}]),
            (Command::WithdrawApproval { .. }, Self::Listed { approved: false, .. }) => Ok(vec![]),
            (Command::WithdrawApproval { reason }, Self::Listed { approved: true, .. }) => Ok(vec![PizzaApprovalWithdrawn { reason }]),
            (Command::Delete { pizza_id, reason }, Self::Listed { .. }) => Ok(vec![PizzaDeleted { pizza_id, reason }]),
        }
    }

    fn links(&self, event: &PizzaEvent) -> Vec<LinkChange> {
        let link = |pizzeria: PizzeriaId, present| vec![LinkChange { kind: OF_PIZZERIA, key: pizzeria.0, present }];
        match event {
            PizzaCreated { pizzeria_id, .. } => link(*pizzeria_id, true),
            PizzaDeleted { .. } => self.pizzeria().map_or(vec![], |pizzeria_id| link(pizzeria_id, false)),
            PizzaApproved {} | PizzaApprovalWithdrawn { .. } => vec![],
        }
    }
}

fn create(pizza: NewPizza, approve: bool) -> Vec<PizzaEvent> {
    let NewPizza { pizza_id, pizzeria_id, title, description, thumbnail_url, diet } = pizza;
    let created = PizzaCreated { pizza_id, pizzeria_id, title, description, thumbnail_url, diet };
    if approve { vec![created, PizzaApproved {}] } else { vec![created] }
}

impl Aggregate for Pizza {
    const TYPE: &'static str = "pizza";
    type Command = Command;
    type Event = PizzaEvent;
    type Error = Error;
    type Services = ();

    async fn handle(&mut self, command: Command, (): &(), sink: &EventSink<Self>) -> Result<(), Error> {
        forward(self, command, sink).await
    }

    fn apply(&mut self, event: PizzaEvent) {
        *self = match (event, self.pizzeria()) {
            (PizzaCreated { pizzeria_id, .. }, _) => Self::Listed { pizzeria_id, approved: false },
            (PizzaApproved {}, Some(pizzeria_id)) => Self::Listed { pizzeria_id, approved: true },
            (PizzaApprovalWithdrawn { .. }, Some(pizzeria_id)) => Self::Listed { pizzeria_id, approved: false },
            (PizzaDeleted { .. }, Some(pizzeria_id)) => Self::Deleted { pizzeria_id },
            (PizzaApproved {} | PizzaApprovalWithdrawn { .. } | PizzaDeleted { .. }, None) => Self::Unknown,
        };
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unknown => Self::not_found(),
            Error::Exists => Self::new(Slug::Conflict, "There is a pizza with this id."),
            Error::Deleted => Self::new(Slug::Gone, "This pizza is off the card."),
        }
    }
}
