//! Clients, as they speak to a Tizza.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub const PASSWORD: &str = "quattro formaggi";

/// Somebody who sends requests, keeps cookies, and reads what they wrote.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    token: Arc<Mutex<Vec<String>>>,
}

/// Where a client finds Tizza.
#[derive(Clone)]
pub struct Address {
    /// The start of links.
    pub public: String,
    /// Who takes commands.
    pub commands: String,
    /// Who answers queries.
    pub queries: String,
}

impl Address {
    /// Commands and queries on one address.
    pub fn one(url: &str) -> Self {
        Self { public: url.into(), commands: url.into(), queries: url.into() }
    }

    /// Where a request goes: what a gateway does.
    fn of(&self, method: &Method, link: &str) -> String {
        let side = if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) { &self.queries } else { &self.commands };
        let path = link.strip_prefix(&self.public).unwrap_or(link);
        if path.starts_with('/') { format!("{side}{path}") } else { link.to_owned() }
    }
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Client {
    /// Without a session.
    pub fn new(address: Address) -> Self {
        let http = reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, address, token: Arc::default() }
    }

    /// Opens an account and logs in.
    pub async fn signs_up(self, name: &str) -> Self {
        self.post("/api/v1/users", json!({ "username": name, "password": PASSWORD })).await.expect(StatusCode::CREATED);
        self
    }

    /// Logs in.
    pub async fn logs_in(self, name: &str) -> Self {
        self.post("/api/v1/session", json!({ "username": name, "password": PASSWORD })).await.expect(StatusCode::OK);
        self
    }

    /// With the same session, at another Tizza of the same home.
    pub fn moved_to(&self, url: &str) -> Self {
        Self { http: self.http.clone(), address: Address::one(url), token: Arc::default() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// `None`: nobody is there yet.
    pub async fn try_get(&self, url: &str) -> Option<Answer> {
        self.answer(self.http.get(url)).await.ok()
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.answer(request).await.unwrap()
    }

    /// A request to be completed by the caller; carries the tokens of all that this client was answered.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = self.address.of(&method, path);
        let tokens = self.token.lock().unwrap().join(", ");
        let request = self.http.request(method, url);
        if tokens.is_empty() { request } else { request.header("consistency-token", tokens).header("prefer", "wait=20") }
    }

    pub async fn answer(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        if let Some(tokens) = headers.get("consistency-token") {
            tokens.to_str().unwrap().split(", ").for_each(|token| self.remember(token));
        }
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    /// Keeps the newest token of each partition.
    fn remember(&self, token: &str) {
        let place =
            |token: &str| token.rsplit_once('.').map(|(partition, position)| (partition.to_owned(), position.parse::<i64>().unwrap()));
        let (partition, position) = place(token).unwrap();
        let mut tokens = self.token.lock().unwrap();
        let newer = tokens.iter().filter_map(|known| place(known)).any(|(p, known)| p == partition && known >= position);
        if !newer {
            tokens.retain(|known| place(known).is_some_and(|(p, _)| p != partition));
            tokens.push(token.to_owned());
        }
    }

    /// Reads what another client wrote, too.
    pub fn sees(&self, other: &Self) {
        let theirs = other.token.lock().unwrap().clone();
        theirs.iter().for_each(|token| self.remember(token));
    }

    /// Opens a pizzeria; the answer is its link.
    pub async fn opens_pizzeria(&self) -> String {
        let body = json!({ "name": "Da Luigi", "address": "Via Roma 1", "phone": "+39 081 1" });
        self.post("/api/v1/pizzerias", body).await.expect(StatusCode::CREATED).location()
    }

    /// Puts a pizza on the card of its only pizzeria; the answer is its link.
    pub async fn creates_pizza(&self, title: &str) -> String {
        let body = json!({ "title": title, "description": "Tomato, mozzarella" });
        self.post("/api/v1/pizzas", body).await.expect(StatusCode::CREATED).location()
    }

    pub async fn reacts(&self, pizza: &str, reaction: &str) -> Answer {
        self.put(&format!("{pizza}/reaction"), json!({ "reaction": reaction })).await
    }
}

impl Answer {
    /// This status, or the test fails with what was answered instead.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    /// A problem of this status and kind.
    #[track_caller]
    pub fn problem(self, status: u16, slug: &str) -> Self {
        assert_eq!(
            (self.status.as_u16(), self.body["type"].as_str()),
            (status, Some(&*format!("https://tizza.dev/problems/{slug}"))),
            "{:#}",
            self.body
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["request_id"].as_str().unwrap(), self.headers["x-request-id"]);
        self
    }

    /// The fields that a problem names.
    pub fn fields(&self) -> Vec<&str> {
        self.body["errors"].as_array().map_or(vec![], |errors| errors.iter().filter_map(|e| e["field"].as_str()).collect())
    }

    pub fn location(&self) -> String {
        self.headers["location"].to_str().unwrap().to_owned()
    }
}

/// Asks again until it is so: for what no token covers.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::task::yield_now().await;
    }
}
