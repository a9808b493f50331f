//! Accounts.

use chrono::{DateTime, Utc};
use event_log::Recorded;
use events::{Event, Pii, SuperuserEvent, UserEvent, UserId};
use read_store::{View, views};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::{
    projection::Fold,
    table::{Row, Rows, Table, id, text, time},
};

/// An account. The one table where personal values of users stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRow {
    user_id: UserId,
    username: String,
    /// Folded, for looking up. Not unique: two partitions fold in any order, and a name may be given back and taken again.
    username_key: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    joined_at: DateTime<Utc>,
}

/// The key of accounts and superusers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UserKey {
    user_id: UserId,
}

static USERS: Table = Table {
    name: "users",
    columns: &[
        id("user_id"),
        text("username"),
        text("username_key"),
        text("email").or_null(),
        text("first_name").or_null(),
        text("last_name").or_null(),
        time("joined_at"),
    ],
    key: 1,
    owner: None,
    indexes: &[&["username_key"]],
};

impl Row for UserRow {
    const TABLE: &'static Table = &USERS;
    type Key = UserKey;

    fn key(&self) -> UserKey {
        UserKey { user_id: self.user_id }
    }
}

/// Somebody who may do everything; joined when an account is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuperuserRow {
    user_id: UserId,
}

static SUPERUSERS: Table = Table { name: "superusers", columns: &[id("user_id")], key: 1, owner: None, indexes: &[] };

impl Row for SuperuserRow {
    const TABLE: &'static Table = &SUPERUSERS;
    type Key = UserKey;

    fn key(&self) -> UserKey {
        UserKey { user_id: self.user_id }
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct Users {
    users: Rows<UserRow>,
    superusers: Rows<SuperuserRow>,
}

impl Fold for Users {
    const VIEW: &'static View = &views::USERS;
    const TYPES: &'static [&'static str] = &["UserSignedUp", "UserDeleted", "SuperuserGranted"];
    const TABLES: &'static [&'static Table] = &[&USERS, &SUPERUSERS];

    fn need(&mut self, event: &Event, _: &Recorded) {
        match event {
            Event::User(UserEvent::UserSignedUp { user_id, .. } | UserEvent::UserDeleted { user_id, .. }) => {
                self.users.need(UserKey { user_id: *user_id });
            }
            Event::Superuser(SuperuserEvent::SuperuserGranted { user_id }) => self.superusers.need(UserKey { user_id: *user_id }),
            Event::Pizzeria(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
    }

    async fn load(&mut self, db: &mut SqliteConnection, generation: i64) -> Result<(), sqlx::Error> {
        self.users.load(db, Self::VIEW, generation).await?;
        self.superusers.load(db, Self::VIEW, generation).await
    }

    fn apply(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::User(UserEvent::UserSignedUp { user_id, username, email, first_name, last_name, .. }) => {
                // Of the erased there is nothing to show; that they are gone comes later in this partition.
                let Some(username) = username.clear() else { return };
                let clear = |value: &Option<Pii<String>>| value.as_ref().and_then(Pii::clear).cloned();
                self.users.put(UserRow {
                    user_id: *user_id,
                    username: username.clone(),
                    username_key: events::users::fold(username),
                    email: clear(email),
                    first_name: clear(first_name),
                    last_name: clear(last_name),
                    joined_at: recorded.recorded_at,
                });
            }
            Event::User(UserEvent::UserDeleted { user_id, .. }) => {
                self.users.remove(&UserKey { user_id: *user_id });
            }
            Event::Superuser(SuperuserEvent::SuperuserGranted { user_id }) => self.superusers.put(SuperuserRow { user_id: *user_id }),
            Event::Pizzeria(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
    }

    async fn store(&self, db: &mut SqliteConnection, generation: i64) -> Result<(), sqlx::Error> {
        self.users.store(db, Self::VIEW, generation).await?;
        self.superusers.store(db, Self::VIEW, generation).await
    }
}
