//! What plain counting expects of a history.

use std::collections::BTreeSet;

use database::on;
use events::{
    PizzaId, ReactionId, UserId,
    likes::Reaction::{self, Dislike, Like},
};
use read_store::ReadStore;
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;

use crate::history::{Act, History, pizza, place, user};

/// Rows, without what is only copied.
#[derive(Debug, Default, PartialEq)]
pub struct Model {
    /// User, pizza, place, reaction.
    reactions: BTreeSet<(Uuid, Uuid, Uuid, String)>,
    /// User, place, how many of its pizzas are liked.
    place_likes: BTreeSet<(Uuid, Uuid, i64)>,
    /// Pizza, likes, dislikes.
    pizza_counters: BTreeSet<(Uuid, i64, i64)>,
    /// Place, likes.
    place_counters: BTreeSet<(Uuid, i64)>,
    users: BTreeSet<(Uuid,)>,
    superusers: BTreeSet<(Uuid,)>,
    /// Place, its owner, whether its address is known, whether it is closed.
    pizzerias: BTreeSet<(Uuid, Uuid, bool, bool)>,
    /// Pizza, whether it is approved, whether it is deleted.
    pizzas: BTreeSet<(Uuid, bool, bool)>,
    /// The stream of a user, place, pizza or reaction, and how many events it has.
    versions: BTreeSet<(Uuid, i64)>,
}

impl Model {
    /// What is expected.
    pub fn of(history: &History) -> Self {
        let (acts, mut model) = (&history.acts, Self::default());
        for n in 0..4 {
            if did(acts, Act::SignUp(n)) && !did(acts, Act::DeleteAccount(n)) {
                model.users.insert((user(n).0,));
            }
            if did(acts, Act::MakeSuperuser(n)) {
                model.superusers.insert((user(n).0,));
            }
            if did(acts, Act::Open(n)) {
                let known = !did(acts, Act::DeleteAccount(n));
                model.pizzerias.insert((place(n).0, user(n).0, known, did(acts, Act::Close(n))));
            }
        }
        for n in (0..6).filter(|n| did(acts, Act::Create(*n))) {
            let verdict = acts.iter().rev().find(|act| [Act::Approve(n), Act::WithdrawApproval(n)].contains(act));
            model.pizzas.insert((pizza(n).0, verdict == Some(&Act::Approve(n)), did(acts, Act::TakeOff(n))));
        }
        model.count(acts);
        model.versions = model.streams().into_iter().map(|stream| (stream, version(history, stream))).collect();
        model
    }

    /// Those whose version is in a row.
    fn streams(&self) -> Vec<Uuid> {
        let users = self.users.iter().map(|(user,)| *user);
        let places = self.pizzerias.iter().map(|(place, ..)| *place);
        let pizzas = self.pizzas.iter().map(|(pizza, ..)| *pizza);
        let reactions = self.reactions.iter().map(|(user, pizza, ..)| ReactionId::of(UserId(*user), PizzaId(*pizza)).0);
        users.chain(places).chain(pizzas).chain(reactions).collect()
    }

    fn count(&mut self, acts: &[Act]) {
        for of in (0..6).filter(|of| (0..4).any(|by| reacted(acts, by, *of))) {
            let by = |reaction| (0..4).filter(|by| opinion(acts, *by, of) == Some(reaction)).count() as i64;
            self.pizza_counters.insert((pizza(of).0, by(Like), by(Dislike)));
            for by in 0..4 {
                if let Some(reaction) = opinion(acts, by, of) {
                    let name = if reaction == Like { "like" } else { "dislike" };
                    self.reactions.insert((user(by).0, pizza(of).0, place(of / 2).0, name.into()));
                }
            }
        }
        for n in 0..3 {
            let baked = [2 * n, 2 * n + 1];
            let liked = |by: usize| baked.iter().filter(|of| opinion(acts, by, **of) == Some(Like)).count() as i64;
            if (0..4).any(|by| baked.iter().any(|of| reacted(acts, by, *of))) {
                self.place_counters.insert((place(n).0, (0..4).map(liked).sum()));
            }
            self.place_likes.extend((0..4).filter(|by| liked(*by) > 0).map(|by| (user(by).0, place(n).0, liked(by))));
        }
    }

    /// What is there.
    pub async fn read(store: &ReadStore) -> Self {
        Self {
            reactions: rows(store, "select user_id, pizza_id, pizzeria_id, reaction from {reactions}").await,
            place_likes: rows(store, "select user_id, pizzeria_id, liked_count from {place_likes}").await,
            pizza_counters: rows(store, "select pizza_id, likes, dislikes from {pizza_counters}").await,
            place_counters: rows(store, "select pizzeria_id, likes from {place_counters}").await,
            users: rows(store, "select user_id from {users}").await,
            superusers: rows(store, "select user_id from {superusers}").await,
            pizzerias: rows(store, "select pizzeria_id, owner_id, address is not null, closed from {pizzerias}").await,
            pizzas: rows(store, "select pizza_id, approved, deleted from {pizzas}").await,
            versions: rows(
                store,
                "select user_id, version from {users} union all select pizzeria_id, version from {pizzerias}
                union all select pizza_id, version from {pizzas} union all select like_id, version from {reactions}",
            )
            .await,
        }
    }
}

async fn rows<R>(store: &ReadStore, template: &'static str) -> BTreeSet<R>
where
    R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Ord + Send + Unpin,
{
    let sql = store.live().await.unwrap().sql(template);
    let rows: Vec<R> = on!(&store.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await.unwrap());
    rows.into_iter().collect()
}

fn version(history: &History, stream: Uuid) -> i64 {
    history.events.iter().filter(|happened| happened.stream_id == stream).count() as i64
}

fn did(acts: &[Act], act: Act) -> bool {
    acts.contains(&act)
}

/// Whether there ever was a reaction; what was once counted keeps its row.
fn reacted(acts: &[Act], by: usize, of: usize) -> bool {
    did(acts, Act::React(by, of, Some(Like))) || did(acts, Act::React(by, of, Some(Dislike)))
}

/// What a user thinks of a pizza in the end.
fn opinion(acts: &[Act], by: usize, of: usize) -> Option<Reaction> {
    let mut opinion = None;
    for act in acts {
        if let Act::React(user, pizza, reaction) = act
            && (*user, *pizza) == (by, of)
        {
            opinion = *reaction;
        }
    }
    opinion.filter(|_| !did(acts, Act::DeleteAccount(by)))
}
