//! The admin listener's operations, asked without a socket.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header, request::Builder},
};
use projector::{Folding, Operations, operations::http::router};
use serde_json::Value;
use service_kit::config::{Access, AdminToken};
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::setup::Tizza;

pub const TOKEN: &str = "quattro-formaggi";

pub struct Admin(pub Router);

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    pub fn slug(&self) -> String {
        let problem = self.json();
        problem["type"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }
}

pub async fn sent(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    Answer { status, headers, text: String::from_utf8(body.into()).unwrap() }
}

pub fn request(method: &str, path: &str, body: &str) -> Builder {
    let method: Method = method.parse().unwrap();
    let request = Request::builder().method(method).uri(format!("/api/v1/operations{path}"));
    if body.is_empty() { request } else { request.header(header::CONTENT_TYPE, "application/json") }
}

fn access() -> Access {
    Access::Set(AdminToken::parse("ADMIN_TOKEN", TOKEN.into()).unwrap())
}

impl Admin {
    pub async fn of(tizza: &Tizza) -> Self {
        Self::with(tizza, access()).await
    }

    pub async fn with(tizza: &Tizza, access: Access) -> Self {
        let folding = Folding::open(&tizza.store).await.unwrap();
        Self(router(Operations::new(tizza.log.clone(), tizza.store.clone(), folding, Arc::new(Notify::new())), access))
    }

    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = request(method, path, body).header("authorization", format!("Bearer {TOKEN}")).header("x-operator", "ada@kitchen");
        sent(&self.0, request.body(Body::from(body.to_owned())).unwrap()).await
    }
}
