//! Likes and dislikes: one small stream a user and pizza, so that two of one user never conflict.

mod http;
#[cfg(test)]
mod tests;

use events::{
    PizzaId, PizzeriaId, ReactionEvent, UserId,
    likes::Reaction::{self, Dislike, Like},
};
use serde::{Deserialize, Serialize};
use service_kit::Problem;

use crate::{aggregate, executor::Decider};
use ReactionEvent::{PizzaDisliked, PizzaLiked, PizzaReactionWithdrawn};

pub use http::routes;

/// What can be done about a pizza.
#[derive(Clone, Debug)]
pub enum Command {
    /// Swipe it to either side.
    React {
        /// To which.
        reaction: Reaction,
        /// Who.
        user_id: UserId,
        /// What.
        pizza_id: PizzaId,
        /// Where it is baked.
        pizzeria_id: PizzeriaId,
    },
    /// As if never swiped.
    Withdraw,
}

/// Nothing that can be asked of a reaction is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {}

/// What a user thinks of a pizza.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// Now.
    pub now: Option<Reaction>,
    /// Whose, of what, and where that is baked; once there was a reaction.
    pub about: Option<(UserId, PizzaId, PizzeriaId)>,
}

impl Decider for Opinion {
    const MANY: bool = true;

    fn decide(&self, command: Command) -> Result<Vec<ReactionEvent>, Error> {
        Ok(match (command, self.now) {
            (Command::React { reaction: Like, .. }, Some(Like)) | (Command::React { reaction: Dislike, .. }, Some(Dislike)) => vec![],
            (Command::React { reaction: Like, user_id, pizza_id, pizzeria_id }, Some(Dislike) | None) => {
                vec![PizzaLiked { user_id, pizza_id, pizzeria_id }]
            }
            (Command::React { reaction: Dislike, user_id, pizza_id, pizzeria_id }, Some(Like) | None) => {
                vec![PizzaDisliked { user_id, pizza_id, pizzeria_id }]
            }
            (Command::Withdraw, None) => vec![],
            (Command::Withdraw, Some(Like | Dislike)) => {
                let withdrawn = |(user_id, pizza_id, pizzeria_id)| PizzaReactionWithdrawn { user_id, pizza_id, pizzeria_id };
                self.about.map(withdrawn).into_iter().collect()
            }
        })
    }

    fn evolve(&mut self, event: ReactionEvent) {
        let (now, user_id, pizza_id, pizzeria_id) = match event {
            PizzaLiked { user_id, pizza_id, pizzeria_id } => (Some(Like), user_id, pizza_id, pizzeria_id),
            PizzaDisliked { user_id, pizza_id, pizzeria_id } => (Some(Dislike), user_id, pizza_id, pizzeria_id),
            PizzaReactionWithdrawn { user_id, pizza_id, pizzeria_id } => (None, user_id, pizza_id, pizzeria_id),
        };
        *self = Self { now, about: Some((user_id, pizza_id, pizzeria_id)) };
    }
}

aggregate!(Opinion, ReactionEvent);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {}
    }
}
