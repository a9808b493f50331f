//! What is put into a Tizza over HTTP before it is measured.

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

/// Hashing a password takes long, and Tizza refuses many at once.
const SIGN_UPS: usize = 8;
/// How many other commands are sent at once.
const COMMANDS: usize = 64;

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub struct User {
    /// The value of the `Cookie` header.
    pub cookie: String,
}

/// For all requests that are not measured.
#[derive(Clone, Debug)]
pub struct Client {
    /// Keeps its connections.
    pub http: reqwest::Client,
    /// Where a Tizza listens.
    pub url: String,
}

impl Client {
    /// New accounts, logged in.
    ///
    /// # Errors
    /// One was refused.
    pub async fn sign_up(&self, name: &str, number: usize) -> anyhow::Result<Vec<User>> {
        let one = async |number: usize| {
            let body = json!({ "username": format!("{name}{number}"), "password": "quattro formaggi" });
            let answer = self.send(Method::POST, "/api/v1/users", None, body).await?;
            let cookie = answer.headers().get(header::SET_COOKIE).context("a sign-up without a session")?.to_str()?;
            let cookie = cookie.split(';').next().unwrap_or(cookie).to_owned();
            anyhow::Ok(User { cookie })
        };
        stream::iter(0..number).map(one).buffered(SIGN_UPS).try_collect().await
    }

    /// Opens a pizzeria for each owner and puts pizzas on their cards in turn; the answer is the pizzas' paths.
    ///
    /// # Errors
    /// One was refused.
    pub async fn bake(&self, owners: &[User], pizzas: usize) -> anyhow::Result<Vec<String>> {
        let open = async |owner| {
            let body = json!({ "name": "Da Luigi", "address": "Via Roma 1, 80100 Napoli", "phone": "+39 081 1" });
            self.send(Method::POST, "/api/v1/pizzerias", Some(owner), body).await
        };
        stream::iter(owners).map(open).buffered(COMMANDS).try_collect::<Vec<_>>().await?;
        let bake = async |number: usize| {
            let description = "San Marzano tomatoes, mozzarella di bufala, basil and a little oil, baked in a wood oven";
            let body = json!({ "title": format!("Pizza number {number}"), "description": description });
            let answer = self.send(Method::POST, "/api/v1/pizzas", Some(&owners[number % owners.len()]), body).await?;
            let pizza: Value = answer.json().await?;
            anyhow::Ok(format!("/api/v1/pizzas/{}", pizza["id"].as_str().context("a pizza without id")?))
        };
        stream::iter(0..pizzas).map(bake).buffered(COMMANDS).try_collect().await
    }

    /// Likes pizzas.
    ///
    /// # Errors
    /// One was refused.
    pub async fn like(&self, user: &User, pizzas: &[String]) -> anyhow::Result<()> {
        let like = async |pizza: &String| {
            self.send(Method::PUT, &format!("{pizza}/reaction"), Some(user), json!({ "reaction": "like" })).await.map(drop)
        };
        stream::iter(pizzas).map(like).buffered(COMMANDS).try_collect().await
    }

    async fn send(&self, method: Method, path: &str, user: Option<&User>, body: Value) -> anyhow::Result<Response> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url)).json(&body);
        if let Some(user) = user {
            request = request.header(header::COOKIE, &user.cookie);
        }
        let answer = request.send().await?;
        let status = answer.status();
        if status.is_success() { Ok(answer) } else { bail!("{method} {path}: {status} {}", answer.text().await?) }
    }
}
