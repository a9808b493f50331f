//! Routes that change places.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{delete, post},
};
use events::{PizzeriaId, UserId, pizzerias::PizzeriaClosure};
use serde_json::json;
use service_kit::{Problem, fields::Parsed, http::Id, request, text::Text};

use super::{Command, MAX_PER_OWNER, OF_OWNER, Pizzeria};
use crate::{App, answer::Author, executor::Intent, users};

request! {
    /// `POST /api/v1/pizzerias`
    pub struct OpenPizzeria {
        /// Where it is.
        pub address: Text<1, 512>,
        /// How to call it.
        pub phone: Text<1, 40>,
        /// May be left out.
        pub name: Option<Text<0, 120>>,
    }
}

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/pizzerias", post(open)).route("/api/v1/pizzerias/{id}", delete(close))
}

async fn open(State(app): State<App>, author: Author, Parsed(body): Parsed<OpenPizzeria>) -> Result<Response, Problem> {
    let pizzeria_id = PizzeriaId::now();
    let owner_id = UserId(author.session.subject);
    let name = &body.name.unwrap_or_default();
    let (address, phone) = (&body.address, &body.phone);
    let done = app
        .execute::<Pizzeria, _, _>(&author.origin, pizzeria_id.0, |look| async move {
            users::active(&look, owner_id.0).await?;
            let owned = look.linked(OF_OWNER, owner_id.0).await?.len();
            look.at_most(OF_OWNER, owner_id.0, MAX_PER_OWNER as i64 - 1);
            let (name, address, phone) = (name.clone(), address.clone(), phone.clone());
            Ok(Intent { command: Command::Open { pizzeria_id, owner_id, owned, name, address, phone }, subject: owner_id.0 })
        })
        .await?;
    let href = app.public_url.link(&format!("/api/v1/pizzerias/{pizzeria_id}"));
    let body = json!({
        "id": pizzeria_id, "href": href, "name": name.as_str(), "address": address.as_str(), "phone": phone.as_str(), "owner_id": owner_id,
    });
    Ok(done.created(&href, body))
}

async fn close(State(app): State<App>, author: Author, Id(pizzeria_id): Id) -> Result<Response, Problem> {
    let subject = author.session.subject;
    let done = app
        .execute::<Pizzeria, _, _>(&author.origin, pizzeria_id, |look| async move {
            users::active(&look, subject).await?;
            let owner = look.find::<Pizzeria>(pizzeria_id).await?.and_then(|known| known.state.owner());
            let owner = owner.ok_or_else(Problem::not_found)?;
            let reason = if owner.0 == subject {
                PizzeriaClosure::Owner
            } else if users::is_superuser(&look, subject).await? {
                PizzeriaClosure::Staff
            } else {
                return Err(Problem::not_found());
            };
            Ok(Intent { command: Command::Close { reason }, subject: owner.0 })
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}
