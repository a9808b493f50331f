//! Pizzas.

use chrono::{DateTime, Utc};
use event_log::{Recorded, Version};
use events::{Event, PizzaEvent, PizzaId, PizzeriaId, pizzas::Diet};
use read_store::{View, views};
use serde::{Deserialize, Serialize};

use crate::{
    projection::Fold,
    table::{Generation, Held, Row, Rows, Table, flag, id, number, text, time},
};

/// A pizza. It stays when it is deleted, so that it can be told from one that never was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PizzaRow {
    pizza_id: PizzaId,
    pizzeria_id: PizzeriaId,
    title: String,
    description: String,
    thumbnail_url: Option<String>,
    diet: Option<Diet>,
    approved: bool,
    deleted: bool,
    #[serde(with = "service_kit::time")]
    created_at: DateTime<Utc>,
    version: Version,
    #[cfg(feature = "next")]
    changes: i64,
}

/// The key of pizzas.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PizzaKey {
    pizza_id: PizzaId,
}

static PIZZAS: Table = Table {
    name: "pizzas",
    columns: &[
        id("pizza_id"),
        id("pizzeria_id"),
        text("title"),
        text("description"),
        text("thumbnail_url").or_null(),
        text("diet").or_null(),
        flag("approved"),
        flag("deleted"),
        time("created_at"),
        number("version"),
        #[cfg(feature = "next")]
        number("changes"),
    ],
    key: 1,
    owner: None,
    indexes: &[&["pizzeria_id"], &["title"], &["created_at", "pizza_id"]],
};

impl Row for PizzaRow {
    const TABLE: &'static Table = &PIZZAS;
    type Key = PizzaKey;

    fn key(&self) -> PizzaKey {
        PizzaKey { pizza_id: self.pizza_id }
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct Pizzas {
    pizzas: Rows<PizzaRow>,
}

impl Fold for Pizzas {
    const VIEW: &'static View = &views::PIZZAS;
    const TYPES: &'static [&'static str] = &["PizzaCreated", "PizzaChanged", "PizzaApproved", "PizzaApprovalWithdrawn", "PizzaDeleted"];
    const TABLES: &'static [&'static Table] = &[&PIZZAS];

    fn need(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::Pizza(_) => self.pizzas.need(key_of(recorded)),
            Event::User(_) | Event::Superuser(_) | Event::Pizzeria(_) | Event::Reaction(_) => {}
        }
    }

    async fn load(&mut self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.pizzas.load(db).await
    }

    fn apply(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::Pizza(event) => self.apply_pizza(event, recorded),
            Event::User(_) | Event::Superuser(_) | Event::Pizzeria(_) | Event::Reaction(_) => {}
        }
    }

    fn held(&self) -> Vec<&dyn Held> {
        vec![&self.pizzas]
    }

    async fn store(&self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.pizzas.store(db).await
    }
}

impl Pizzas {
    fn apply_pizza(&mut self, event: &PizzaEvent, recorded: &Recorded) {
        let key = key_of(recorded);
        match event {
            PizzaEvent::PizzaCreated { pizza_id, pizzeria_id, title, description, thumbnail_url, diet } => self.pizzas.put(PizzaRow {
                pizza_id: *pizza_id,
                pizzeria_id: *pizzeria_id,
                title: title.clone(),
                description: description.clone(),
                thumbnail_url: thumbnail_url.clone(),
                diet: *diet,
                approved: false,
                deleted: false,
                created_at: recorded.recorded_at,
                version: recorded.version,
                #[cfg(feature = "next")]
                changes: 0,
            }),
            PizzaEvent::PizzaChanged { title, description, thumbnail_url, diet } => self.pizzas.change(&key, |row| {
                if let Some(title) = title {
                    row.title.clone_from(title);
                }
                if let Some(description) = description {
                    row.description.clone_from(description);
                }
                if let Some(thumbnail_url) = thumbnail_url {
                    row.thumbnail_url.clone_from(thumbnail_url);
                }
                row.diet = diet.unwrap_or(row.diet);
                #[cfg(feature = "next")]
                (row.changes += 1);
            }),
            PizzaEvent::PizzaApproved {} => self.pizzas.change(&key, |row| row.approved = true),
            PizzaEvent::PizzaApprovalWithdrawn { .. } => self.pizzas.change(&key, |row| row.approved = false),
            PizzaEvent::PizzaDeleted { .. } => self.pizzas.change(&key, |row| row.deleted = true),
        }
        self.pizzas.change(&key, |row| row.version = recorded.version);
    }
}

fn key_of(recorded: &Recorded) -> PizzaKey {
    PizzaKey { pizza_id: PizzaId(recorded.stream_id) }
}
