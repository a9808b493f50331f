//! The query side over the community's rows, and asking it.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use database::StoreUrl;
use events::UserId;
use projector::{Prepared, parking};
use query_api::App;
use read_store::{ReadStore, checkpoints::Found};
use serde_json::Value;
use service_kit::{
    config::Listen,
    identity::{Identity, IdentityStore},
};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::community::history;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Tizza {
    folder: TempDir,
    /// On SQLite and, where there is one, on Postgres.
    pub routers: Vec<Router>,
    /// Where the rows of each are.
    pub places: Vec<StoreUrl>,
    identity: Identity,
}

/// What came back.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn tag(&self) -> &str {
        self.headers[header::ETAG].to_str().unwrap()
    }
}

impl Tizza {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = Listen { http_host: String::new(), http_port: None, public_url: Some("http://tizza.test".into()) };
        let public_url = listen.public_url(([127, 0, 0, 1], 80).into()).unwrap();
        let store = IdentityStore::open(&StoreUrl::file(folder.path().join("identity.db")), PATIENCE).await.unwrap();
        let identity = Identity::new(store, &[[7; 32]], &public_url);
        let mut tizza = Self { folder, routers: vec![], places: vec![], identity };
        let postgres = test_servers::shared_database().ok().map(|url| url.parse().unwrap());
        for url in [Some(StoreUrl::file(tizza.folder.path().join("read.db"))), postgres].into_iter().flatten() {
            let app = App::new(folded(&url).await, tizza.identity.clone(), public_url.clone());
            tizza.routers.push(query_api::router(app));
            tizza.places.push(url);
        }
        tizza
    }

    /// The cookie of somebody who is logged in.
    pub async fn cookie(&self, user_id: UserId) -> String {
        let (_, cookie) = self.identity.begin_session(user_id.0).await.unwrap();
        cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
    }
}

async fn folded(url: &StoreUrl) -> ReadStore {
    let store = opened(url).await;
    let generations = projector::prepare(&event_log::Epochs::default(), &store).await.unwrap();
    fold(&store, &generations).await;
    store
}

pub async fn opened(url: &StoreUrl) -> ReadStore {
    ReadStore::open(url, PATIENCE).await.unwrap()
}

/// What happened, into some generations.
pub async fn fold(store: &ReadStore, generations: &[Prepared]) {
    for (partition, events) in history() {
        let mut tx = store.database.begin().await.unwrap();
        for one in generations {
            let parked = parking::fold(&mut tx, one, partition, &events, Found::default(), &parking::Broken::new()).await.unwrap();
            assert!(parked.is_empty());
        }
        tx.commit().await.unwrap();
    }
}

pub async fn get(router: &Router, path: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, *value));
    let request = request.header("x-request-id", "test").body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    Answer { status: parts.status, headers: parts.headers, body }
}
