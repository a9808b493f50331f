//! What users think of pizzas.

use serde::{Deserialize, Serialize};

use crate::{PizzaId, PizzeriaId, UserId, vocabulary};

/// Of one user and one pizza; it belongs to the user. The place is named too, so that no fold has to look it up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ReactionEvent {
    /// Swiped to the right.
    PizzaLiked {
        /// Who.
        user_id: UserId,
        /// What.
        pizza_id: PizzaId,
        /// Where it is baked.
        pizzeria_id: PizzeriaId,
    },
    /// Swiped to the left.
    PizzaDisliked {
        /// Who.
        user_id: UserId,
        /// What.
        pizza_id: PizzaId,
        /// Where it is baked.
        pizzeria_id: PizzeriaId,
    },
    /// As if never swiped.
    PizzaReactionWithdrawn {
        /// Who.
        user_id: UserId,
        /// What.
        pizza_id: PizzaId,
        /// Where it is baked.
        pizzeria_id: PizzeriaId,
    },
}

vocabulary!(ReactionEvent, kind = "reaction", PizzaLiked = 1, PizzaDisliked = 1, PizzaReactionWithdrawn = 1);

/// One swipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// To the right.
    Like,
    /// To the left.
    Dislike,
}
