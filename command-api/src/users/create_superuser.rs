//! The first superuser of an environment.

use events::{UserId, ids::superusers};
use serde_json::{Value, json};
use service_kit::{Problem, Slug, fields::RequestBody};
use uuid::Uuid;

use super::{
    accounts::open_account,
    active,
    parse::SignUp,
    superusers::{Command, Error, Superusers},
};
use crate::{
    App,
    executor::{Intent, Look},
    names::{Name, NameKind},
    origin::Origin,
};

/// Makes an account the first superuser; it is opened where there is none.
///
/// # Errors
/// There is a superuser already, the password is not the account's, or the names break a rule.
pub async fn create_superuser(app: &App, username: &str, password: &str) -> Result<UserId, Problem> {
    let origin = Origin::system("createsuperuser", Uuid::now_v7().to_string());
    let look = Look::around(app);
    let list = look.find::<Superusers>(superusers()).await?;
    if list.is_some_and(|known| !known.state.members.is_empty()) {
        return Err(Error::NotTheFirst.into());
    }
    let user_id = match look.holder(&Name::new(NameKind::Username, username)).await? {
        Some(holder) => {
            let account = active(&look, holder).await?;
            if !app.identity.is_password(Some(account.credential_id.0), password.into()).await? {
                return Err(Problem::new(Slug::InvalidCredentials, "There is such an account, and this is not its password."));
            }
            account.user_id
        }
        None => {
            let body = sign_up(&json!({ "username": username, "password": password }))?;
            UserId(open_account(app, &origin, UserId::now(), body).await?.stream_id)
        }
    };
    app.execute::<Superusers, _, _>(&origin, superusers(), |look| async move {
        active(&look, user_id.0).await?;
        Ok(Intent { command: Command::GrantFirst { user_id }, subject: superusers() })
    })
    .await?;
    Ok(user_id)
}

/// The same rules as for everyone.
fn sign_up(body: &Value) -> Result<SignUp, Problem> {
    SignUp::parse(body.to_string().as_bytes())
}
