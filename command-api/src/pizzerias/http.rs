//! Routes that change places.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use events::{Pii, PizzeriaId, UserId, pizzerias::PizzeriaClosure};
use serde_json::{Value, json};
use service_kit::{
    Problem,
    fields::{Change, Parsed},
    http::Id,
    request,
    text::Text,
};
use uuid::Uuid;

use super::{Command, Details, DetailsChange, MAX_PER_OWNER, OF_OWNER, Pizzeria};
use crate::{
    App,
    answer::{Author, require_chosen},
    executor::{Done, Intent, Look},
    users,
};

request! {
    /// `POST /api/v1/pizzerias`, `PUT /api/v1/pizzerias/{id}`
    pub struct WholePizzeria {
        /// Where it is.
        pub address: Text<1, 512>,
        /// How to call it.
        pub phone: Text<1, 40>,
        /// May be left out.
        pub name: Option<Text<0, 120>>,
    }
}

request! {
    /// `PATCH /api/v1/pizzerias/{id}` (RFC 7396)
    pub struct PizzeriaPatch {
        /// Where it is.
        pub address: Change<Text<1, 512>>,
        /// How to call it.
        pub phone: Change<Text<1, 40>>,
        /// May be empty.
        pub name: Change<Text<0, 120>>,
    }
}

/// The slice's routes.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/pizzerias", post(open)).route("/api/v1/pizzerias/{id}", put(put_pizzeria).patch(change).delete(close))
}

async fn open(State(app): State<App>, author: Author, Parsed(body): Parsed<WholePizzeria>) -> Result<Response, Problem> {
    put_whole(app, author, PizzeriaId::now(), body, true).await
}

async fn put_pizzeria(
    State(app): State<App>,
    author: Author,
    Id(id): Id,
    Parsed(body): Parsed<WholePizzeria>,
) -> Result<Response, Problem> {
    require_chosen(id)?;
    put_whole(app, author, PizzeriaId(id), body, false).await
}

async fn put_whole(app: App, author: Author, pizzeria_id: PizzeriaId, body: WholePizzeria, new: bool) -> Result<Response, Problem> {
    let user = author.session.subject;
    let details = &Details {
        name: body.name.unwrap_or_default().into(),
        address: String::from(body.address).into(),
        phone: String::from(body.phone).into(),
    };
    let done = app
        .execute::<Pizzeria, _, _>(&author.origin, pizzeria_id.0, |look| async move {
            if new {
                look.assume_new(pizzeria_id.0);
            }
            users::active(&look, user).await?;
            let owner_id = match look.find::<Pizzeria>(pizzeria_id.0).await? {
                Some(_) => role(&look, user, pizzeria_id.0).await?.1,
                None => {
                    look.at_most(OF_OWNER, user, MAX_PER_OWNER as i64 - 1);
                    UserId(user)
                }
            };
            let owned = look.linked(OF_OWNER, owner_id.0).await?.len();
            let details = details.clone();
            Ok(Intent { command: Command::Put { pizzeria_id, owner_id, owned, details }, subject: owner_id.0 })
        })
        .await?;
    answer(&app, &done)
}

async fn change(State(app): State<App>, author: Author, Id(id): Id, Parsed(body): Parsed<PizzeriaPatch>) -> Result<Response, Problem> {
    let user = author.session.subject;
    let personal = |text: Option<String>| text.map(Pii::Clear);
    let change = &DetailsChange {
        name: body.name.0.map(Into::into),
        address: personal(body.address.0.map(Into::into)),
        phone: personal(body.phone.0.map(Into::into)),
    };
    let done = app
        .execute::<Pizzeria, _, _>(&author.origin, id, |look| async move {
            let (_, owner_id) = role(&look, user, id).await?;
            Ok(Intent { command: Command::Change(change.clone()), subject: owner_id.0 })
        })
        .await?;
    answer(&app, &done)
}

async fn close(State(app): State<App>, author: Author, Id(id): Id) -> Result<Response, Problem> {
    let user = author.session.subject;
    let done = app
        .execute::<Pizzeria, _, _>(&author.origin, id, |look| async move {
            let (reason, owner_id) = role(&look, user, id).await?;
            Ok(Intent { command: Command::Close { reason }, subject: owner_id.0 })
        })
        .await?;
    Ok(done.empty(StatusCode::NO_CONTENT))
}

/// As whom `user` may change a place, and whose it is. A stranger is told that there is none.
async fn role(look: &Look, user: Uuid, pizzeria_id: Uuid) -> Result<(PizzeriaClosure, UserId), Problem> {
    let account = users::active(look, user).await?;
    let owner = look.find::<Pizzeria>(pizzeria_id).await?.and_then(|known| known.state.owner()).ok_or_else(Problem::not_found)?;
    if owner.0 == user {
        Ok((PizzeriaClosure::Owner, owner))
    } else if users::is_staff(look, &account).await? {
        Ok((PizzeriaClosure::Staff, owner))
    } else {
        Err(Problem::not_found())
    }
}

fn answer(app: &App, done: &Done<Pizzeria>) -> Result<Response, Problem> {
    let pizzeria_id = PizzeriaId(done.stream_id);
    let href = app.public_url.link(&format!("/api/v1/pizzerias/{pizzeria_id}"));
    let body = shown(pizzeria_id, &href, &done.after)?;
    Ok(match done.before {
        Pizzeria::Unknown => done.created(&href, body),
        Pizzeria::Open { .. } | Pizzeria::Closed { .. } => done.with(StatusCode::OK, body),
    })
}

fn shown(pizzeria_id: PizzeriaId, href: &str, pizzeria: &Pizzeria) -> Result<Value, Problem> {
    let Pizzeria::Open { owner_id, details: Details { name, address, phone } } = pizzeria else {
        return Err(Problem::internal("the pizzeria is not open"));
    };
    Ok(json!({
        "id": pizzeria_id, "href": href, "name": name, "address": address.clear(), "phone": phone.clear(), "owner_id": owner_id,
    }))
}
