//! Routes that change pizzas.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use events::{PizzaId, PizzeriaId, pizzas::PizzaDeletion};
use serde_json::{Value, json};
use service_kit::{
    Problem, Slug,
    fields::{Parsed, RequestBody},
    http::{Id, status_and_message},
    problem::FieldError,
};
use uuid::Uuid;

use super::{
    Command, Details, DetailsChange, Pizza,
    parse::{PizzaPatch, WholePizza, Withdrawal},
};
use crate::{
    App,
    answer::{Author, require_chosen},
    executor::{Done, Intent, Look},
    pizzerias::{OF_OWNER, Pizzeria},
    users,
};

/// The slice's routes, and those that an older client knows.
pub fn routes() -> Router<App> {
    let older = Router::new()
        .route("/pizzas", post(create))
        .route("/pizzas/", post(create))
        .route("/pizzas/{id}", axum::routing::delete(delete_of_older_client));
    Router::new()
        .route("/api/v1/pizzas", post(create))
        .route("/api/v1/pizzas/{id}", put(put_pizza).patch(change).delete(delete_pizza))
        .route("/api/v1/pizzas/{id}/approval", put(approve).delete(withdraw_approval))
        .merge(status_and_message(older, "pizza not found"))
}

async fn create(State(app): State<App>, author: Author, Parsed(body): Parsed<WholePizza>) -> Result<Response, Problem> {
    put_whole(app, author, PizzaId::now(), body, true).await
}

async fn put_pizza(State(app): State<App>, author: Author, Id(id): Id, Parsed(body): Parsed<WholePizza>) -> Result<Response, Problem> {
    require_chosen(id)?;
    put_whole(app, author, PizzaId(id), body, false).await
}

async fn put_whole(app: App, author: Author, pizza_id: PizzaId, body: WholePizza, new: bool) -> Result<Response, Problem> {
    let user = author.session.subject;
    let (approve, named) = (app.settings.auto_approve_pizzas, body.pizzeria_id);
    let details = &Details::from(body);
    let done = app
        .execute::<Pizza, _, _>(&author.origin, pizza_id.0, |look| async move {
            if new {
                look.assume_new(pizza_id.0);
            }
            users::active(&look, user).await?;
            let (pizzeria_id, subject) = match look.find::<Pizza>(pizza_id.0).await? {
                Some(known) => {
                    let (_, owner) = role(&look, user, pizza_id.0).await?;
                    let stays = known.state.pizzeria().ok_or_else(Problem::not_found)?;
                    (named.map_or(stays, PizzeriaId), owner)
                }
                None => (pizzeria_of(&look, user, named).await?, user),
            };
            Ok(Intent { command: Command::Put { pizza_id, pizzeria_id, details: details.clone(), approve }, subject })
        })
        .await?;
    answer(&app, &done)
}

async fn change(State(app): State<App>, author: Author, Id(id): Id, Parsed(body): Parsed<PizzaPatch>) -> Result<Response, Problem> {
    let user = author.session.subject;
    let change = &DetailsChange::from(body);
    let done = app
        .execute::<Pizza, _, _>(&author.origin, id, |look| async move {
            let (_, owner) = role(&look, user, id).await?;
            Ok(Intent { command: Command::Change(change.clone()), subject: owner })
        })
        .await?;
    answer(&app, &done)
}

fn answer(app: &App, done: &Done<Pizza>) -> Result<Response, Problem> {
    let pizza_id = PizzaId(done.stream_id);
    let href = app.public_url.link(&format!("/api/v1/pizzas/{pizza_id}"));
    let body = shown(app, pizza_id, &href, &done.after)?;
    Ok(match done.before {
        Pizza::Unknown => done.created(&href, body),
        Pizza::Listed { .. } | Pizza::Deleted { .. } => done.with(StatusCode::OK, body),
    })
}

fn shown(app: &App, pizza_id: PizzaId, href: &str, pizza: &Pizza) -> Result<Value, Problem> {
    let Pizza::Listed { pizzeria_id, approved, details } = pizza else { return Err(Problem::internal("the pizza is not listed")) };
    let pizzeria_href = app.public_url.link(&format!("/api/v1/pizzerias/{pizzeria_id}"));
    Ok(json!({
        "id": pizza_id, "href": href, "title": details.title, "description": details.description, "thumbnail_url": details.thumbnail_url,
        "diet": details.diet, "approved": approved, "pizzeria": { "id": pizzeria_id, "href": pizzeria_href },
    }))
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
        Some(Pizzeria::Open { owner_id, .. }) if owner_id.0 == owner => Ok(PizzeriaId(meant)),
        Some(Pizzeria::Closed { owner_id }) if owner_id.0 == owner => Err(Problem::new(Slug::Gone, "This pizzeria is closed.")),
        Some(Pizzeria::Open { .. } | Pizzeria::Closed { .. } | Pizzeria::Unknown) | None => Err(Problem::not_found()),
    }
}

/// What somebody is to a pizza.
enum Role {
    Owner,
    Staff,
}

/// What `user` is to a pizza, with the user that the pizza belongs to. A stranger is told that there is none.
async fn role(look: &Look, user: Uuid, pizza_id: Uuid) -> Result<(Role, Uuid), Problem> {
    let account = users::active(look, user).await?;
    let pizza = look.find::<Pizza>(pizza_id).await?.and_then(|known| known.state.pizzeria()).ok_or_else(Problem::not_found)?;
    let owner = look.find::<Pizzeria>(pizza.0).await?.and_then(|known| known.state.owner()).ok_or_else(Problem::not_found)?;
    if users::is_staff(look, &account).await? {
        Ok((Role::Staff, owner.0))
    } else if owner.0 == user {
        Ok((Role::Owner, owner.0))
    } else {
        Err(Problem::not_found())
    }
}

async fn delete_pizza(State(app): State<App>, author: Author, Id(id): Id) -> Result<Response, Problem> {
    Ok(take_off(&app, &author, id).await?.empty(StatusCode::NO_CONTENT))
}

async fn delete_of_older_client(State(app): State<App>, author: Author, Id(id): Id) -> Result<Response, Problem> {
    Ok(take_off(&app, &author, id).await?.with(StatusCode::OK, json!({ "id": id })))
}

async fn take_off(app: &App, author: &Author, id: Uuid) -> Result<Done<Pizza>, Problem> {
    let user = author.session.subject;
    app.execute::<Pizza, _, _>(&author.origin, id, |look| async move {
        let (_, owner) = role(&look, user, id).await?;
        let reason = if owner == user { PizzaDeletion::Owner } else { PizzaDeletion::Staff };
        Ok(Intent { command: Command::Delete { pizza_id: PizzaId(id), reason }, subject: owner })
    })
    .await
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
                (Role::Staff, owner) => Ok(Intent { command: command.clone(), subject: owner }),
                (Role::Owner, _) => Err(Problem::new(Slug::PermissionDenied, "Pizzas are approved by staff.")),
            }
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}
