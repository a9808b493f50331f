//! What happens to pizzas.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{PizzaId, PizzeriaId, vocabulary, vocabulary::changed};

/// Of one pizza; it belongs to the owner of its pizzeria.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PizzaEvent {
    /// An owner presents a pizza.
    PizzaCreated {
        /// Which pizza.
        pizza_id: PizzaId,
        /// Where it is baked; never changes.
        pizzeria_id: PizzeriaId,
        /// Its name on the card.
        title: String,
        /// What is on it.
        description: String,
        /// A picture, http or https.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        thumbnail_url: Option<String>,
        /// What it is free of, if that is known. Since schema version 2.
        diet: Option<Diet>,
    },
    /// Something about it is different. Only what changed is here.
    PizzaChanged {
        /// Its name on the card.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        title: Option<String>,
        /// What is on it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        description: Option<String>,
        /// `Some(None)`: there is no picture any more.
        #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "changed")]
        thumbnail_url: Option<Option<String>>,
        /// `Some(None)`: it is not known any more.
        #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "changed")]
        diet: Option<Option<Diet>>,
    },
    /// Everyone may see it.
    PizzaApproved {},
    /// Only its owner and staff may see it.
    PizzaApprovalWithdrawn {
        /// What was wrong with it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
    },
    /// It is off the card.
    PizzaDeleted {
        /// Which pizza.
        pizza_id: PizzaId,
        /// Who or what took it off.
        reason: PizzaDeletion,
    },
}

vocabulary!(
    PizzaEvent,
    kind = "pizza",
    upcast = upcast,
    PizzaCreated = 2,
    PizzaChanged = 1,
    PizzaApproved = 1,
    PizzaApprovalWithdrawn = 1,
    PizzaDeleted = 1
);

/// `PizzaCreated` 1 → 2: the diet was not asked for, so it is not known.
fn upcast(name: &'static str, schema_version: u32, mut payload: Value) -> Value {
    if let ("PizzaCreated", 1, Value::Object(members)) = (name, schema_version, &mut payload) {
        members.insert("diet".into(), json!(null));
    }
    payload
}

/// What a pizza is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diet {
    /// With meat or fish.
    Meat,
    /// Without meat and fish.
    Vegetarian,
    /// Without anything of animals.
    Vegan,
}

/// Why a pizza went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PizzaDeletion {
    /// Its owner wanted it.
    Owner,
    /// A member of staff wanted it.
    Staff,
    /// Its pizzeria closed.
    PizzeriaClosed,
}
