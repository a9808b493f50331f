//! A running Tizza, and its clients.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The program, with free ports and the data in `data_dir`.
pub fn tizza(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tizza"));
    command.env_clear().env("DATA_DIR", data_dir).env("HTTP_PORT", "0").env("ADMIN_PORT", "0").env("LOG_FORMAT", "json");
    command
}

/// A running Tizza; killed when it is dropped.
pub struct Server {
    pub url: String,
    pub admin_url: String,
    pub data_dir: PathBuf,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    _folder: Option<TempDir>,
}

impl Server {
    /// A new one, in a folder of its own.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let mut server = Self::start_in(&data_dir);
        server._folder = Some(folder);
        server
    }

    /// One that finds what is in a folder.
    pub fn start_in(data_dir: &Path) -> Self {
        Self::spawn(tizza(data_dir), data_dir)
    }

    pub fn spawn(mut command: Command, data_dir: &Path) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(vec![]));
        let (listening, listens) = mpsc::channel();
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
                if parsed["message"] == "tizza listens" {
                    let of = |key: &str| format!("http://{}", parsed[key].as_str().unwrap());
                    listening.send((of("address"), of("admin"))).unwrap();
                }
                kept.lock().unwrap().push(line);
            }
        });
        let (url, admin_url) = listens.recv_timeout(DEADLINE).expect("tizza says where it listens");
        Self { url, admin_url, data_dir: data_dir.into(), child, lines, _folder: None }
    }

    /// A client without a session.
    pub fn client(&self) -> Client {
        Client {
            http: reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            url: self.url.clone(),
            token: Arc::default(),
        }
    }

    /// A client with an account, logged in.
    pub async fn user(&self, name: &str) -> Client {
        let client = self.client();
        client.post("/api/v1/users", json!({ "username": name, "password": PASSWORD })).await.expect(StatusCode::CREATED);
        client
    }

    /// The superuser of this environment, logged in.
    pub async fn superuser(&self, name: &str) -> Client {
        let made = tizza(&self.data_dir).args(["createsuperuser", "--username", name]).env("TIZZA_PASSWORD", PASSWORD).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let client = self.client();
        client.post("/api/v1/session", json!({ "username": name, "password": PASSWORD })).await.expect(StatusCode::OK);
        client
    }

    /// Everything that was logged so far.
    pub fn logged(&self) -> Vec<Value> {
        self.lines.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// How it ended, after a signal.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub const PASSWORD: &str = "quattro formaggi";

/// Somebody who sends requests, keeps cookies, and reads what they wrote.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Arc<Mutex<Vec<String>>>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Client {
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
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
        let url = if path.starts_with('/') { format!("{}{path}", self.url) } else { path.to_owned() };
        let tokens = self.token.lock().unwrap().join(", ");
        let request = self.http.request(method, url);
        if tokens.is_empty() { request } else { request.header("consistency-token", tokens).header("prefer", "wait=20") }
    }

    pub async fn answer(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        if let Some(token) = headers.get("consistency-token") {
            self.remember(token.to_str().unwrap());
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
