//! Asking an admin listener, and what it says when it does not do what it was asked for.

use std::{path::Path, time::Duration};

use anyhow::Context;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use service_kit::config::ConfigError;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than the server does.
const ANSWER: Duration = Duration::from_secs(40);

/// Who asks an admin listener.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    token: String,
    operator: String,
    /// Role and number of the process that was found in the data folder.
    found: Option<(String, u32)>,
}

/// It was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody is there, or not any more.
    #[error("{0}")]
    Away(String),
    /// The token is another one.
    #[error("{0}")]
    Token(String),
    /// Something is in the way, or cannot be.
    #[error("{0}")]
    Problem(String),
}

impl Refused {
    /// Whether the same may be done once the other side has been started again.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Token(_))
    }
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Client {
    pub fn new(url: &str, token: String, operator: String, found: Option<(String, u32)>) -> anyhow::Result<Self> {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| ConfigError::new("ADMIN_URL", "expected http://HOST:PORT"))?;
        // A proxy of the environment leads elsewhere.
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT).build()?;
        Ok(Self { http, url, token, operator, found })
    }

    /// A resource among the operations.
    pub fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1", "operations"]).extend(segments);
        }
        url
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url).bearer_auth(&self.token).header("X-Operator", &self.operator)
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, url: Url) -> anyhow::Result<T> {
        self.told(self.request(Method::GET, url).timeout(ANSWER)).await
    }

    /// Has something done.
    pub async fn post<T: DeserializeOwned>(&self, url: Url, body: &Value) -> anyhow::Result<T> {
        self.told(self.request(Method::POST, url).timeout(ANSWER).json(body)).await
    }

    /// Has something done of which nothing is told.
    pub async fn does(&self, method: Method, url: Url, body: &Value) -> anyhow::Result<()> {
        self.answer(self.request(method, url).timeout(ANSWER).json(body)).await.map(drop)
    }

    /// Asks for something that is told bit by bit.
    pub async fn stream(&self, url: Url) -> anyhow::Result<Response> {
        self.answer(self.request(Method::GET, url)).await
    }

    async fn told<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let text = self.answer(request).await?.text().await.map_err(|error| self.away(error))?;
        serde_json::from_str(&text).with_context(|| format!("{} is of another version: its answer cannot be read", self.place()))
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| self.away(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem = response.text().await.ok().and_then(|text| serde_json::from_str::<Problem>(&text).ok());
        let detail = problem.map(|problem| problem.detail.trim_end_matches('.').to_owned());
        Err(match (status, detail) {
            (StatusCode::UNAUTHORIZED, _) => Refused::Token(format!(
                "{} does not take this token: set ADMIN_TOKEN or ADMIN_TOKEN_FILE to the service's own",
                self.place()
            )),
            (StatusCode::SERVICE_UNAVAILABLE, Some(detail)) => Refused::Away(format!("{}: {detail}", self.place())),
            (_, Some(detail)) if detail != "Not found" => Refused::Problem(detail),
            (_, _) => Refused::Problem(format!(
                "{} answers {}: it is not the admin listener of a projector or of all in one",
                self.place(),
                status.as_u16()
            )),
        })?
    }

    fn place(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    fn away(&self, error: reqwest::Error) -> anyhow::Error {
        let why = match &self.found {
            Some((role, pid)) if Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{pid}")).exists() => {
                format!("; {role}, process {pid}, has ended without taking its file `run` away")
            }
            Some((role, pid)) => format!("; {role}, process {pid}, was to listen there"),
            None => String::new(),
        };
        anyhow::Error::new(error.without_url()).context(Refused::Away(format!("{} does not answer{why}", self.place())))
    }
}

/// Whether something was only away, and why it was refused else.
pub fn refused(error: &anyhow::Error) -> Option<&Refused> {
    error.downcast_ref()
}
