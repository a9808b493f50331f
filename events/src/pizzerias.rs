//! What happens to places.

use serde::{Deserialize, Serialize};

use crate::{Pii, PizzeriaId, UserId, vocabulary};

/// Of one place; it belongs to its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PizzeriaEvent {
    /// A user presents a place.
    PizzeriaOpened {
        /// Which place.
        pizzeria_id: PizzeriaId,
        /// Whose it is.
        owner_id: UserId,
        /// May be empty.
        name: String,
        /// Where it is.
        address: Pii<String>,
        /// How to call it.
        phone: Pii<String>,
    },
    /// Something about the place is different. Only what changed is here.
    PizzeriaChanged {
        /// May be empty.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        name: Option<String>,
        /// Where it is.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        address: Option<Pii<String>>,
        /// How to call it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        phone: Option<Pii<String>>,
    },
    /// The place is gone; its pizzas follow.
    PizzeriaClosed {
        /// Who or what closed it.
        reason: PizzeriaClosure,
    },
}

vocabulary!(PizzeriaEvent, kind = "pizzeria", PizzeriaOpened = 1, PizzeriaChanged = 1, PizzeriaClosed = 1);

/// Why a place closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PizzeriaClosure {
    /// Its owner wanted it.
    Owner,
    /// A member of staff wanted it.
    Staff,
    /// Its owner's account is gone.
    OwnerDeleted,
}
