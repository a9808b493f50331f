//! Routes that change what users think of pizzas.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{delete, post, put},
};
use events::{
    PizzaId, PizzeriaId, ReactionId, UserId,
    likes::Reaction::{self, Like},
};
use serde_json::{Value, json};
use service_kit::{
    Problem, Slug,
    fields::{Broken, Field, Parsed},
    http::Id,
    request,
};
use uuid::Uuid;

use super::{Command, Opinion};
use crate::{
    App,
    answer::Author,
    executor::{Intent, Look},
    pizzas::Pizza,
    pizzerias::Pizzeria,
    users::{self, Account},
};

/// To which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReactionField(pub Reaction);

impl Field for ReactionField {
    fn read(value: &Value) -> Result<Self, Broken> {
        serde_json::from_value(value.clone()).map(Self).map_err(|_| Broken::new("unknown", "must be like or dislike"))
    }
}

request! {
    /// `PUT /api/v1/pizzas/{id}/reaction`
    pub struct PutReaction {
        /// To which side.
        pub reaction: ReactionField,
    }
}

request! {
    /// `POST /api/v1/likes`
    pub struct PostLike {
        /// What.
        pub pizza_id: Uuid,
        /// To which side; to the right unless told.
        pub reaction: Option<ReactionField>,
    }
}

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/likes", post(post_like))
        .route("/api/v1/likes/{id}", delete(withdraw_like))
        .route("/api/v1/pizzas/{id}/reaction", put(put_reaction).delete(withdraw))
}

async fn put_reaction(
    State(app): State<App>,
    author: Author,
    Id(pizza_id): Id,
    Parsed(body): Parsed<PutReaction>,
) -> Result<Response, Problem> {
    react(app, author, PizzaId(pizza_id), body.reaction.0).await
}

async fn post_like(State(app): State<App>, author: Author, Parsed(body): Parsed<PostLike>) -> Result<Response, Problem> {
    react(app, author, PizzaId(body.pizza_id), body.reaction.map_or(Like, |ReactionField(reaction)| reaction)).await
}

async fn react(app: App, author: Author, pizza_id: PizzaId, reaction: Reaction) -> Result<Response, Problem> {
    let user_id = UserId(author.session.subject);
    let id = ReactionId::of(user_id, pizza_id);
    let done = app
        .execute::<Opinion, _, _>(&author.origin, id.0, |look| async move {
            look.assume_new(id.0);
            let account = users::active(&look, user_id.0).await?;
            let pizzeria_id = visible_pizza(&look, &account, pizza_id).await?;
            Ok(Intent { command: Command::React { reaction, user_id, pizza_id, pizzeria_id }, subject: user_id.0 })
        })
        .await?;
    let href = app.public_url.link(&format!("/api/v1/likes/{id}"));
    let pizzeria_id = done.after.about.map(|(_, _, pizzeria_id)| pizzeria_id);
    let body = json!({
        "id": id, "href": href, "user_id": user_id, "pizza_id": pizza_id, "pizzeria_id": pizzeria_id, "reaction": reaction,
    });
    Ok(if done.before.now.is_none() { done.created(&href, body) } else { done.with(StatusCode::OK, body) })
}

/// Where a pizza is baked that `user` may see.
async fn visible_pizza(look: &Look, user: &Account, pizza_id: PizzaId) -> Result<PizzeriaId, Problem> {
    let gone = || Problem::new(Slug::Gone, "This pizza is off the card.");
    let (pizzeria_id, approved) = match look.find::<Pizza>(pizza_id.0).await?.map(|known| known.state) {
        Some(Pizza::Listed { pizzeria_id, approved, .. }) => (pizzeria_id, approved),
        Some(Pizza::Deleted { .. }) => return Err(gone()),
        Some(Pizza::Unknown) | None => return Err(Problem::not_found()),
    };
    let Some(pizzeria) = look.find::<Pizzeria>(pizzeria_id.0).await? else { return Err(Problem::not_found()) };
    match pizzeria.state {
        Pizzeria::Open { owner_id, .. } if approved || owner_id == user.user_id || users::is_staff(look, user).await? => Ok(pizzeria_id),
        Pizzeria::Closed { .. } => Err(gone()),
        Pizzeria::Open { .. } | Pizzeria::Unknown => Err(Problem::not_found()),
    }
}

/// By the like's own id: another's is nobody's.
async fn withdraw_like(State(app): State<App>, author: Author, Id(id): Id) -> Result<Response, Problem> {
    let user_id = author.session.subject;
    let known = Look::around(&app).find::<Opinion>(id).await?;
    match known.and_then(|known| known.state.about) {
        Some((owner, pizza_id, _)) if owner.0 == user_id => withdraw_reaction(&app, &author, pizza_id).await,
        Some(_) | None => Err(Problem::not_found()),
    }
}

async fn withdraw(State(app): State<App>, author: Author, Id(pizza_id): Id) -> Result<Response, Problem> {
    withdraw_reaction(&app, &author, PizzaId(pizza_id)).await
}

async fn withdraw_reaction(app: &App, author: &Author, pizza_id: PizzaId) -> Result<Response, Problem> {
    let user_id = UserId(author.session.subject);
    let id = ReactionId::of(user_id, pizza_id);
    let done = app
        .execute::<Opinion, _, _>(&author.origin, id.0, |look| async move {
            users::active(&look, user_id.0).await?;
            Ok(Intent { command: Command::Withdraw, subject: user_id.0 })
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}
