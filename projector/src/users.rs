//! Accounts.

use chrono::{DateTime, Utc};
use event_log::{Recorded, Version};
use events::{
    Event, Pii, SuperuserEvent, UserEvent, UserId,
    users::{USER_DELETED, Visibility},
};
use read_store::{View, views};
use serde::{Deserialize, Serialize};

use crate::{
    projection::Fold,
    table::{Generation, Held, Row, Rows, Table, flag, id, number, text, time},
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
    meetup_visibility_default: Visibility,
    mail_on_mention: bool,
    mail_on_meetup: bool,
    is_staff: bool,
    is_active: bool,
    #[serde(with = "service_kit::time")]
    joined_at: DateTime<Utc>,
    version: Version,
}

impl UserRow {
    fn new(user_id: UserId, username: &str, details: [&Option<Pii<String>>; 3], recorded: &Recorded) -> Self {
        let [email, first_name, last_name] = details.map(|detail| clear(detail.as_ref()));
        Self {
            user_id,
            username: username.into(),
            username_key: events::users::fold(username),
            email,
            first_name,
            last_name,
            meetup_visibility_default: Visibility::Private,
            mail_on_mention: true,
            mail_on_meetup: false,
            is_staff: false,
            is_active: true,
            joined_at: recorded.recorded_at,
            version: recorded.version,
        }
    }
}

/// The key of accounts and superusers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserKey {
    user_id: UserId,
}

static USERS: Table = Table {
    name: "users",
    columns: &[
        id("user_id"),
        text("username").personal(),
        text("username_key").personal(),
        text("email").or_null().personal(),
        text("first_name").or_null().personal(),
        text("last_name").or_null().personal(),
        text("meetup_visibility_default"),
        flag("mail_on_mention"),
        flag("mail_on_meetup"),
        flag("is_staff"),
        flag("is_active"),
        time("joined_at"),
        number("version"),
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
    const TYPES: &'static [&'static str] = &[
        "UserSignedUp",
        "PasswordChanged",
        "ProfileChanged",
        "UserSuspended",
        "UserReinstated",
        "StaffGranted",
        "StaffRevoked",
        USER_DELETED,
        "SuperuserGranted",
        "SuperuserRevoked",
    ];
    const TABLES: &'static [&'static Table] = &[&USERS, &SUPERUSERS];

    fn need(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::User(_) => self.users.need(key_of(recorded)),
            Event::Superuser(SuperuserEvent::SuperuserGranted { user_id } | SuperuserEvent::SuperuserRevoked { user_id }) => {
                self.superusers.need(UserKey { user_id: *user_id });
            }
            Event::Pizzeria(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
    }

    async fn load(&mut self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.users.load(db).await?;
        self.superusers.load(db).await
    }

    fn apply(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::User(event) => self.apply_user(event, recorded),
            Event::Superuser(SuperuserEvent::SuperuserGranted { user_id }) => self.superusers.put(SuperuserRow { user_id: *user_id }),
            Event::Superuser(SuperuserEvent::SuperuserRevoked { user_id }) => {
                self.superusers.remove(&UserKey { user_id: *user_id });
            }
            Event::Pizzeria(_) | Event::Pizza(_) | Event::Reaction(_) => {}
        }
    }

    fn held(&self) -> Vec<&dyn Held> {
        vec![&self.users, &self.superusers]
    }

    async fn store(&self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.users.store(db).await?;
        self.superusers.store(db).await
    }
}

impl Users {
    fn apply_user(&mut self, event: &UserEvent, recorded: &Recorded) {
        let key = key_of(recorded);
        match event {
            UserEvent::UserSignedUp { user_id, username, email, first_name, last_name, .. } => {
                // Of the erased there is nothing to show; that they are gone comes later in this partition.
                if let Some(username) = username.clear() {
                    self.users.put(UserRow::new(*user_id, username, [email, first_name, last_name], recorded));
                }
            }
            UserEvent::PasswordChanged { .. } => {}
            UserEvent::ProfileChanged { email, first_name, last_name, settings } => self.users.change(&key, |row| {
                for (column, change) in [(&mut row.email, email), (&mut row.first_name, first_name), (&mut row.last_name, last_name)] {
                    if let Some(value) = change {
                        *column = clear(value.as_ref());
                    }
                }
                if let Some(settings) = settings {
                    row.meetup_visibility_default = settings.meetup_visibility_default;
                    row.mail_on_mention = settings.mail_on_mention;
                    row.mail_on_meetup = settings.mail_on_meetup;
                }
            }),
            UserEvent::UserSuspended { .. } => self.users.change(&key, |row| row.is_active = false),
            UserEvent::UserReinstated {} => self.users.change(&key, |row| row.is_active = true),
            UserEvent::StaffGranted {} => self.users.change(&key, |row| row.is_staff = true),
            UserEvent::StaffRevoked {} => self.users.change(&key, |row| row.is_staff = false),
            UserEvent::UserDeleted { .. } => {
                self.users.remove(&key);
            }
        }
        self.users.change(&key, |row| row.version = recorded.version);
    }
}

fn key_of(recorded: &Recorded) -> UserKey {
    UserKey { user_id: UserId(recorded.stream_id) }
}

fn clear(value: Option<&Pii<String>>) -> Option<String> {
    value.and_then(Pii::clear).cloned()
}
