//! Likes and dislikes, and how many there are.

use chrono::{DateTime, Utc};
use event_log::{Recorded, Version};
use events::{
    Event, PizzaId, PizzeriaId, ReactionEvent, ReactionId, UserEvent, UserId,
    likes::Reaction::{self, Dislike, Like},
    users::USER_DELETED,
};
use read_store::{View, views};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    projection::Fold,
    table::{Counters, Generation, Held, Row, Rows, Table, id, number, text, time},
};

/// What a user thinks of a pizza.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReactionRow {
    user_id: UserId,
    pizza_id: PizzaId,
    like_id: ReactionId,
    pizzeria_id: PizzeriaId,
    reaction: Reaction,
    #[serde(with = "service_kit::time")]
    at: DateTime<Utc>,
    version: Version,
}

/// The key of reactions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReactionKey {
    user_id: UserId,
    pizza_id: PizzaId,
}

static REACTIONS: Table = Table {
    name: "reactions",
    columns: &[id("user_id"), id("pizza_id"), id("like_id"), id("pizzeria_id"), text("reaction"), time("at"), number("version")],
    key: 2,
    owner: Some(id("user_id")),
    indexes: &[&["pizza_id", "user_id"], &["like_id"], &["user_id", "at"], &["at"]],
};

impl Row for ReactionRow {
    const TABLE: &'static Table = &REACTIONS;
    type Key = ReactionKey;

    fn key(&self) -> ReactionKey {
        ReactionKey { user_id: self.user_id, pizza_id: self.pizza_id }
    }

    fn owner(&self) -> Option<Uuid> {
        Some(self.user_id.0)
    }
}

/// A place that a user likes, because of that many pizzas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceLikeRow {
    user_id: UserId,
    pizzeria_id: PizzeriaId,
    liked_count: i64,
}

/// The key of liked places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlaceLikeKey {
    user_id: UserId,
    pizzeria_id: PizzeriaId,
}

static PLACE_LIKES: Table = Table {
    name: "place_likes",
    columns: &[id("user_id"), id("pizzeria_id"), number("liked_count")],
    key: 2,
    owner: Some(id("user_id")),
    indexes: &[&["pizzeria_id", "user_id"]],
};

impl Row for PlaceLikeRow {
    const TABLE: &'static Table = &PLACE_LIKES;
    type Key = PlaceLikeKey;

    fn key(&self) -> PlaceLikeKey {
        PlaceLikeKey { user_id: self.user_id, pizzeria_id: self.pizzeria_id }
    }

    fn owner(&self) -> Option<Uuid> {
        Some(self.user_id.0)
    }
}

static PIZZA_COUNTERS: Table =
    Table { name: "pizza_counters", columns: &[id("pizza_id"), number("likes"), number("dislikes")], key: 1, owner: None, indexes: &[] };

static PLACE_COUNTERS: Table =
    Table { name: "place_counters", columns: &[id("pizzeria_id"), number("likes")], key: 1, owner: None, indexes: &[] };

/// The fold.
#[derive(Debug)]
pub struct Reactions {
    reactions: Rows<ReactionRow>,
    place_likes: Rows<PlaceLikeRow>,
    pizza_counters: Counters,
    place_counters: Counters,
}

impl Default for Reactions {
    fn default() -> Self {
        Self {
            reactions: Rows::default(),
            place_likes: Rows::default(),
            pizza_counters: Counters::new(&PIZZA_COUNTERS),
            place_counters: Counters::new(&PLACE_COUNTERS),
        }
    }
}

impl Reactions {
    /// Counts a reaction in (`by` = 1) or out (`by` = -1).
    fn count(&mut self, reaction: Reaction, pizza_id: PizzaId, pizzeria_id: PizzeriaId, by: i64) {
        let (likes, dislikes) = match reaction {
            Like => (by, 0),
            Dislike => (0, by),
        };
        self.pizza_counters.add(pizza_id, &[likes, dislikes]);
        self.place_counters.add(pizzeria_id, &[likes]);
    }

    /// What the user thinks now, if anything, instead of what was thought before.
    fn replace(&mut self, key: &ReactionKey, pizzeria_id: PizzeriaId, after: Option<Reaction>, recorded: &Recorded) {
        let before = self.reactions.remove(key).map(|row| row.reaction);
        if let Some(before) = before {
            self.count(before, key.pizza_id, pizzeria_id, -1);
        }
        if let Some(reaction) = after {
            self.count(reaction, key.pizza_id, pizzeria_id, 1);
            let &ReactionKey { user_id, pizza_id } = key;
            let &Recorded { recorded_at: at, version, .. } = recorded;
            let like_id = ReactionId::of(user_id, pizza_id);
            self.reactions.put(ReactionRow { user_id, pizza_id, like_id, pizzeria_id, reaction, at, version });
        }
        self.like_place(key.user_id, pizzeria_id, i64::from(after == Some(Like)) - i64::from(before == Some(Like)));
    }

    fn like_place(&mut self, user_id: UserId, pizzeria_id: PizzeriaId, by: i64) {
        let key = PlaceLikeKey { user_id, pizzeria_id };
        let liked_count = self.place_likes.remove(&key).map_or(0, |row| row.liked_count) + by;
        if liked_count > 0 {
            self.place_likes.put(PlaceLikeRow { user_id, pizzeria_id, liked_count });
        }
    }

    /// Nothing of a deleted user counts any more.
    fn forget(&mut self, user_id: UserId) {
        for row in self.reactions.remove_owned(user_id) {
            self.count(row.reaction, row.pizza_id, row.pizzeria_id, -1);
        }
        self.place_likes.remove_owned(user_id);
    }
}

impl Fold for Reactions {
    const VIEW: &'static View = &views::REACTIONS;
    const TYPES: &'static [&'static str] = &["PizzaLiked", "PizzaDisliked", "PizzaReactionWithdrawn", USER_DELETED];
    const TABLES: &'static [&'static Table] = &[&REACTIONS, &PLACE_LIKES, &PIZZA_COUNTERS, &PLACE_COUNTERS];

    fn need(&mut self, event: &Event, _: &Recorded) {
        match event {
            Event::Reaction(
                ReactionEvent::PizzaLiked { user_id, pizza_id, pizzeria_id }
                | ReactionEvent::PizzaDisliked { user_id, pizza_id, pizzeria_id }
                | ReactionEvent::PizzaReactionWithdrawn { user_id, pizza_id, pizzeria_id },
            ) => {
                self.reactions.need(ReactionKey { user_id: *user_id, pizza_id: *pizza_id });
                self.place_likes.need(PlaceLikeKey { user_id: *user_id, pizzeria_id: *pizzeria_id });
            }
            Event::User(UserEvent::UserDeleted { user_id, .. }) => {
                self.reactions.need_owner(*user_id);
                self.place_likes.need_owner(*user_id);
            }
            Event::User(_) | Event::Superuser(_) | Event::Pizzeria(_) | Event::Pizza(_) => {}
        }
    }

    async fn load(&mut self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.reactions.load(db).await?;
        self.place_likes.load(db).await
    }

    fn apply(&mut self, event: &Event, recorded: &Recorded) {
        let (user_id, pizza_id, pizzeria_id, after) = match event {
            Event::Reaction(ReactionEvent::PizzaLiked { user_id, pizza_id, pizzeria_id }) => (user_id, pizza_id, pizzeria_id, Some(Like)),
            Event::Reaction(ReactionEvent::PizzaDisliked { user_id, pizza_id, pizzeria_id }) => {
                (user_id, pizza_id, pizzeria_id, Some(Dislike))
            }
            Event::Reaction(ReactionEvent::PizzaReactionWithdrawn { user_id, pizza_id, pizzeria_id }) => {
                (user_id, pizza_id, pizzeria_id, None)
            }
            Event::User(UserEvent::UserDeleted { user_id, .. }) => return self.forget(*user_id),
            Event::User(_) | Event::Superuser(_) | Event::Pizzeria(_) | Event::Pizza(_) => return,
        };
        self.replace(&ReactionKey { user_id: *user_id, pizza_id: *pizza_id }, *pizzeria_id, after, recorded);
    }

    fn held(&self) -> Vec<&dyn Held> {
        vec![&self.reactions, &self.place_likes, &self.pizza_counters, &self.place_counters]
    }

    async fn store(&self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        self.reactions.store(db).await?;
        self.place_likes.store(db).await?;
        self.pizza_counters.store(db).await?;
        self.place_counters.store(db).await
    }
}
