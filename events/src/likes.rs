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
        #[cfg_attr(feature = "next", serde(rename = "baked_at"))]
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

#[cfg(not(feature = "next"))]
vocabulary!(ReactionEvent, kind = "reaction", PizzaLiked = 1, PizzaDisliked = 1, PizzaReactionWithdrawn = 1);

#[cfg(feature = "next")]
vocabulary!(ReactionEvent, kind = "reaction", upcast = upcast, PizzaLiked = 2, PizzaDisliked = 1, PizzaReactionWithdrawn = 1);

/// `PizzaLiked` 1 → 2: a member has another name.
#[cfg(feature = "next")]
fn upcast(_: &'static str, _: u32, mut payload: serde_json::Value) -> serde_json::Value {
    payload["baked_at"] = payload["pizzeria_id"].take();
    payload
}

/// One swipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// To the right.
    Like,
    /// To the left.
    Dislike,
}
