//! Routes that change pizzas.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{delete, post, put},
};
use events::{PizzaId, PizzeriaId, pizzas::PizzaDeletion};
use serde_json::json;
use service_kit::{
    Problem, Slug,
    fields::{Parsed, RequestBody},
    http::Id,
    problem::FieldError,
};
use uuid::Uuid;

use super::{
    Command, Pizza,
    parse::{CreatePizza, Withdrawal},
};
use crate::{
    App,
    answer::Author,
    executor::{Intent, Look},
    pizzerias::{OF_OWNER, Pizzeria},
    users,
};

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/pizzas", post(create))
        .route("/api/v1/pizzas/{id}", delete(delete_pizza))
        .route("/api/v1/pizzas/{id}/approval", put(approve).delete(withdraw_approval))
}

async fn create(State(app): State<App>, author: Author, Parsed(body): Parsed<CreatePizza>) -> Result<Response, Problem> {
    let pizza_id = PizzaId::now();
    let owner = author.session.subject;
    let approve = app.settings.auto_approve_pizzas;
    let asked = &body;
    let done = app
        .execute::<Pizza, _, _>(&author.origin, pizza_id.0, |look| async move {
            users::active(&look, owner).await?;
            let pizzeria_id = pizzeria_of(&look, owner, asked.pizzeria_id).await?;
            Ok(Intent { command: Command::Create { pizza: asked.clone().at(pizza_id, pizzeria_id), approve }, subject: owner })
        })
        .await?;
    let href = app.public_url.link(&format!("/api/v1/pizzas/{pizza_id}"));
    let pizzeria_id = done.after.pizzeria().ok_or_else(|| Problem::internal("a new pizza has no pizzeria"))?;
    let pizzeria_href = app.public_url.link(&format!("/api/v1/pizzerias/{pizzeria_id}"));
    let pizza = body.at(pizza_id, pizzeria_id);
    let body = json!({
        "id": pizza_id, "href": href, "title": pizza.title, "description": pizza.description, "thumbnail_url": pizza.thumbnail_url,
        "diet": pizza.diet, "approved": approve, "pizzeria": { "id": pizzeria_id, "href": pizzeria_href },
    });
    Ok(done.created(&href, body))
}

/// The open place that `owner` means: the named one, or the only one.
async fn pizzeria_of(look: &Look, owner: Uuid, named: Option<Uuid>) -> Result<PizzeriaId, Problem> {
    let meant = match (named, &look.linked(OF_OWNER, owner).await?[..]) {
        (_, []) => return Err(Problem::new(Slug::Conflict, "You have no pizzeria: open one first.")),
        (Some(named), _) => named,
        (None, [only]) => *only,
        (None, _) => {
            return Err(Problem::validation(vec![FieldError::new("pizzeria_id", "required", "is required when you have several")]));
        }
    };
    match look.find::<Pizzeria>(meant).await?.map(|known| known.state) {
        Some(Pizzeria::Open { owner_id }) if owner_id.0 == owner => Ok(PizzeriaId(meant)),
        Some(Pizzeria::Closed { owner_id }) if owner_id.0 == owner => Err(Problem::new(Slug::Gone, "This pizzeria is closed.")),
        Some(Pizzeria::Open { .. } | Pizzeria::Closed { .. } | Pizzeria::Unknown) | None => Err(Problem::not_found()),
    }
}

/// What somebody is to a pizza.
enum Role {
    Owner,
    Superuser,
}

/// What `user` is to a pizza, with the user that the pizza belongs to. A stranger is told that there is none.
async fn role(look: &Look, user: Uuid, pizza_id: Uuid) -> Result<(Role, Uuid), Problem> {
    users::active(look, user).await?;
    let pizza = look.find::<Pizza>(pizza_id).await?.and_then(|known| known.state.pizzeria()).ok_or_else(Problem::not_found)?;
    let owner = look.find::<Pizzeria>(pizza.0).await?.and_then(|known| known.state.owner()).ok_or_else(Problem::not_found)?;
    if users::is_superuser(look, user).await? {
        Ok((Role::Superuser, owner.0))
    } else if owner.0 == user {
        Ok((Role::Owner, owner.0))
    } else {
        Err(Problem::not_found())
    }
}

async fn delete_pizza(State(app): State<App>, author: Author, Id(id): Id) -> Result<Response, Problem> {
    let user = author.session.subject;
    let done = app
        .execute::<Pizza, _, _>(&author.origin, id, |look| async move {
            let (_, owner) = role(&look, user, id).await?;
            let reason = if owner == user { PizzaDeletion::Owner } else { PizzaDeletion::Staff };
            Ok(Intent { command: Command::Delete { pizza_id: PizzaId(id), reason }, subject: owner })
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}

async fn approve(State(app): State<App>, author: Author, Id(id): Id) -> Result<Response, Problem> {
    judge(app, author, id, Command::Approve).await
}

async fn withdraw_approval(State(app): State<App>, author: Author, Id(id): Id, body: Bytes) -> Result<Response, Problem> {
    let reason = if body.is_empty() { None } else { Withdrawal::parse(&body)?.reason };
    judge(app, author, id, Command::WithdrawApproval { reason: reason.map(Into::into) }).await
}

/// Approving is for staff: owners are told that they may not, strangers that there is nothing.
async fn judge(app: App, author: Author, id: Uuid, command: Command) -> Result<Response, Problem> {
    let (user, command) = (author.session.subject, &command);
    let done = app
        .execute::<Pizza, _, _>(&author.origin, id, |look| async move {
            match role(&look, user, id).await? {
                (Role::Superuser, owner) => Ok(Intent { command: command.clone(), subject: owner }),
                (Role::Owner, _) => Err(Problem::new(Slug::PermissionDenied, "Pizzas are approved by staff.")),
            }
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}
