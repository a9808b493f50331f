//! Places.

use chrono::{DateTime, Utc};
use event_log::Recorded;
use events::{Event, PizzeriaEvent, PizzeriaId, UserEvent, UserId};
use read_store::{View, views};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::{
    projection::Fold,
    table::{Row, Rows, Table, flag, id, text, time},
};

/// A place. It stays when it closes, so that it can be told from one that never was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PizzeriaRow {
    pizzeria_id: PizzeriaId,
    owner_id: UserId,
    name: String,
    /// Gone with the owner's account.
    address: Option<String>,
    /// Gone with the owner's account.
    phone: Option<String>,
    #[serde(with = "service_kit::time")]
    opened_at: DateTime<Utc>,
    closed: bool,
}

/// The key of places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PizzeriaKey {
    pizzeria_id: PizzeriaId,
}

static PIZZERIAS: Table = Table {
    name: "pizzerias",
    columns: &[
        id("pizzeria_id"),
        id("owner_id"),
        text("name"),
        text("address").or_null(),
        text("phone").or_null(),
        time("opened_at"),
        flag("closed"),
    ],
    key: 1,
    owner: Some("owner_id"),
    indexes: &[&["owner_id"], &["name"], &["opened_at", "pizzeria_id"]],
};

impl Row for PizzeriaRow {
    const TABLE: &'static Table = &PIZZERIAS;
    type Key = PizzeriaKey;

    fn key(&self) -> PizzeriaKey {
        PizzeriaKey { pizzeria_id: self.pizzeria_id }
    }

    fn owner(&self) -> Option<Uuid> {
        Some(self.owner_id.0)
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct Pizzerias {
    pizzerias: Rows<PizzeriaRow>,
}

impl Fold for Pizzerias {
    const VIEW: &'static View = &views::PIZZERIAS;
    const TYPES: &'static [&'static str] = &["PizzeriaOpened", "PizzeriaChanged", "PizzeriaClosed", "UserDeleted"];
    const TABLES: &'static [&'static Table] = &[&PIZZERIAS];

    fn need(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::Pizzeria(_) => self.pizzerias.need(key_of(recorded)),
            Event::User(UserEvent::UserDeleted { user_id, .. }) => self.pizzerias.need_owner(*user_id),
            Event::User(_) | Event::Superuser(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
    }

    async fn load(&mut self, db: &mut SqliteConnection, generation: i64) -> Result<(), sqlx::Error> {
        self.pizzerias.load(db, Self::VIEW, generation).await
    }

    fn apply(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::Pizzeria(PizzeriaEvent::PizzeriaOpened { pizzeria_id, owner_id, name, address, phone }) => {
                self.pizzerias.put(PizzeriaRow {
                    pizzeria_id: *pizzeria_id,
                    owner_id: *owner_id,
                    name: name.clone(),
                    address: address.clear().cloned(),
                    phone: phone.clear().cloned(),
                    opened_at: recorded.recorded_at,
                    closed: false,
                });
            }
            Event::Pizzeria(PizzeriaEvent::PizzeriaChanged { name, address, phone }) => self.pizzerias.change(&key_of(recorded), |row| {
                if let Some(name) = name {
                    row.name.clone_from(name);
                }
                if let Some(address) = address {
                    row.address = address.clear().cloned();
                }
                if let Some(phone) = phone {
                    row.phone = phone.clear().cloned();
                }
            }),
            Event::Pizzeria(PizzeriaEvent::PizzeriaClosed { .. }) => {
                self.pizzerias.change(&key_of(recorded), |row| row.closed = true);
            }
            // The place closes by an event of its own; what is personal goes at once.
            Event::User(UserEvent::UserDeleted { user_id, .. }) => self.pizzerias.change_owned(*user_id, |row| {
                row.address = None;
                row.phone = None;
            }),
            Event::User(_) | Event::Superuser(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
    }

    async fn store(&self, db: &mut SqliteConnection, generation: i64) -> Result<(), sqlx::Error> {
        self.pizzerias.store(db, Self::VIEW, generation).await
    }
}

fn key_of(recorded: &Recorded) -> PizzeriaKey {
    PizzeriaKey { pizzeria_id: PizzeriaId(recorded.stream_id) }
}
