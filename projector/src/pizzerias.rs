//! Places.

use chrono::{DateTime, Utc};
use event_log::{Recorded, Version};
use events::{Event, PizzeriaEvent, PizzeriaId, UserEvent, UserId, users::USER_DELETED};
use read_store::{View, views};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    projection::Fold,
    table::{Generation, Held, Row, Rows, Table, flag, id, number, text, time},
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
    version: Version,
}

/// The key of places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PizzeriaKey {
    pizzeria_id: PizzeriaId,
}

static PIZZERIAS: Table = Table {
    name: "pizzerias",
    columns: &[
        id("pizzeria_id"),
        id("owner_id"),
        text("name"),
        text("address").or_null().personal(),
        text("phone").or_null().personal(),
        time("opened_at"),
        flag("closed"),
        number("version"),
    ],
    key: 1,
    owner: Some(id("owner_id")),
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
    const TYPES: &'static [&'static str] = &["PizzeriaOpened", "PizzeriaChanged", "PizzeriaClosed", USER_DELETED];
    const TABLES: &'static [&'static Table] = &[&PIZZERIAS];

    fn need(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::Pizzeria(_) => self.pizzerias.need(key_of(recorded)),
            Event::User(UserEvent::UserDeleted { user_id, .. }) => self.pizzerias.need_owner(*user_id),
            Event::User(_) | Event::Superuser(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
    }

    async fn load(&mut self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.pizzerias.load(db).await
    }

    fn apply(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::Pizzeria(event) => self.apply_pizzeria(event, recorded),
            // The place closes by an event of its own; what is personal goes at once.
            Event::User(UserEvent::UserDeleted { user_id, .. }) => self.pizzerias.change_owned(*user_id, |row| {
                row.address = None;
                row.phone = None;
            }),
            Event::User(_) | Event::Superuser(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
    }

    fn held(&self) -> Vec<&dyn Held> {
        vec![&self.pizzerias]
    }

    async fn store(&self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.pizzerias.store(db).await
    }
}

impl Pizzerias {
    fn apply_pizzeria(&mut self, event: &PizzeriaEvent, recorded: &Recorded) {
        let key = key_of(recorded);
        match event {
            PizzeriaEvent::PizzeriaOpened { pizzeria_id, owner_id, name, address, phone } => self.pizzerias.put(PizzeriaRow {
                pizzeria_id: *pizzeria_id,
                owner_id: *owner_id,
                name: name.clone(),
                address: address.clear().cloned(),
                phone: phone.clear().cloned(),
                opened_at: recorded.recorded_at,
                closed: false,
                version: recorded.version,
            }),
            PizzeriaEvent::PizzeriaChanged { name, address, phone } => self.pizzerias.change(&key, |row| {
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
            PizzeriaEvent::PizzeriaClosed { .. } => self.pizzerias.change(&key, |row| row.closed = true),
        }
        self.pizzerias.change(&key, |row| row.version = recorded.version);
    }
}

fn key_of(recorded: &Recorded) -> PizzeriaKey {
    PizzeriaKey { pizzeria_id: PizzeriaId(recorded.stream_id) }
}
