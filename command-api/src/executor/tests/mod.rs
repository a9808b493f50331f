//! Several processes on one log: what each of them remembers may be old, what it answers is not.

use std::collections::BTreeSet;

use database::StoreUrl;
use event_log::{Actor, EventLog, KeyStore, Keys, LogStore};
use events::{PizzaEvent, PizzaId, PizzeriaId, UserId, Vocabulary, ids::CredentialId, pizzerias::PizzeriaClosure, users::UserDeletion};
use serde_json::json;
use service_kit::{
    config::{Listen, PublicUrl},
    fields::Field,
    identity::{Identity, IdentityStore},
};
use tempfile::TempDir;

use super::*;
use crate::{
    Settings,
    pizzas::{self, Pizza},
    pizzerias::{self, Pizzeria},
    users::{self, User, parse::Username},
};

const ADA: UserId = UserId(Uuid::from_u128(1));
const TRATTORIA: PizzeriaId = PizzeriaId(Uuid::from_u128(2));
const MARGHERITA: PizzaId = PizzaId(Uuid::from_u128(3));

/// A test on each database: functions that take the log's place.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::executor::tests::Place::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(place) = $crate::executor::tests::Place::postgres() {
                    super::$name(place).await;
                }
            })+
        }
    };
}

mod races;
mod repeats;

/// Where the stores are.
pub struct Place {
    folder: TempDir,
    log: StoreUrl,
}

impl Place {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { log: StoreUrl::file(folder.path().join("log.db")), folder }
    }

    /// `None`: there is no Postgres here, which was told loudly.
    pub fn postgres() -> Option<Self> {
        let log = test_servers::shared_database().ok()?.parse().unwrap();
        Some(Self { log, folder: tempfile::tempdir().unwrap() })
    }
}

/// Two processes on one log.
struct Tizza {
    _place: Place,
    a: App,
    b: App,
}

impl Tizza {
    async fn empty(place: Place) -> Self {
        let (a, b) = (process(&place).await, process(&place).await);
        Self { _place: place, a, b }
    }

    /// Ada has a place with a pizza, and the first process remembers all of it.
    async fn new(place: Place) -> Self {
        let tizza = Self::empty(place).await;
        sign_up(&tizza.a, ADA, "Ada").await.unwrap();
        send::<Pizzeria>(&tizza.a, TRATTORIA.0, &open()).await.unwrap();
        send::<Pizza>(&tizza.a, MARGHERITA.0, &list()).await.unwrap();
        tizza
    }

    /// The second process ends Ada's account, and the first one hears nothing of it.
    async fn without_ada(place: Place) -> Self {
        let tizza = Self::new(place).await;
        let delete = users::Command::Delete { reason: UserDeletion::SelfRequested, is_superuser: false };
        send::<User>(&tizza.b, ADA.0, &delete).await.unwrap();
        tizza
    }
}

async fn process(place: &Place) -> App {
    let file = |name: &str| StoreUrl::file(place.folder.path().join(name));
    let patience = Duration::from_secs(10);
    let keys = Keys::new(KeyStore::open(&file("keys.db"), patience).await.unwrap(), &[[3; 32]]);
    let log = EventLog::start(LogStore::open(&place.log, patience).await.unwrap(), keys).await.unwrap();
    let identity = Identity::new(IdentityStore::open(&file("identity.db"), patience).await.unwrap(), &[[1; 32]], &public_url());
    App::new(log, identity, [2; 32], public_url(), Settings { auto_approve_pizzas: false, read_only: false })
}

fn public_url() -> PublicUrl {
    let listen = Listen { http_host: "127.0.0.1".into(), http_port: None, public_url: None };
    listen.public_url(([127, 0, 0, 1], 80).into()).unwrap()
}

fn origin() -> Origin {
    Origin { actor: Actor::User(ADA.0), ..Origin::system("test", "test".into()) }
}

/// As a route does for Ada, who is logged in.
async fn send<A: Decider>(app: &App, stream_id: Uuid, command: &A::Command) -> Result<Done<A>, Problem> {
    send_as(app, &origin(), stream_id, command).await
}

async fn send_as<A: Decider>(app: &App, origin: &Origin, stream_id: Uuid, command: &A::Command) -> Result<Done<A>, Problem> {
    app.execute::<A, _, _>(origin, stream_id, |look| async move {
        users::active(&look, ADA.0).await?;
        Ok(Intent { command: command.clone(), subject: ADA.0 })
    })
    .await
}

async fn sign_up(app: &App, user_id: UserId, username: &str) -> Result<Done<User>, Problem> {
    let username = &Username::read(&json!(username)).unwrap();
    app.execute::<User, _, _>(&origin(), user_id.0, |_| async move {
        let (credential_id, username) = (CredentialId(user_id.0), username.clone());
        let command = users::Command::SignUp { user_id, credential_id, username, email: None, first_name: None, last_name: None };
        Ok(Intent { command, subject: user_id.0 })
    })
    .await
}

fn open() -> pizzerias::Command {
    let (address, phone) = (String::from("Via Roma 1, Napoli").into(), String::from("+39 081 1").into());
    let details = pizzerias::Details { name: "Da Ada".into(), address, phone };
    pizzerias::Command::Put { pizzeria_id: TRATTORIA, owner_id: ADA, owned: 0, details }
}

fn rename(name: &str) -> pizzerias::Command {
    pizzerias::Command::Change(pizzerias::DetailsChange { name: Some(name.into()), ..pizzerias::DetailsChange::default() })
}

fn list() -> pizzas::Command {
    let details = pizzas::Details { title: "Margherita".into(), description: "Basil".into(), thumbnail_url: None, diet: None };
    pizzas::Command::Put { pizza_id: MARGHERITA, pizzeria_id: TRATTORIA, details, approve: false }
}

fn retitle(title: String) -> pizzas::Command {
    pizzas::Command::Change(pizzas::DetailsChange { title: Some(title), ..pizzas::DetailsChange::default() })
}

/// What a client is told, without the words.
fn told<A>(answer: Result<Done<A>, Problem>) -> Result<Version, Slug> {
    answer.map(|done| done.version).map_err(|problem| problem.slug)
}

async fn stored(app: &App, stream_id: Uuid) -> Vec<String> {
    app.log.stream(stream_id, 0).await.unwrap().into_iter().map(|event| event.event_type).collect()
}

/// Each title that the margherita got after its first one.
async fn titles(app: &App) -> BTreeSet<String> {
    let changes = app.log.stream(MARGHERITA.0, 1).await.unwrap();
    let decoded = changes.iter().map(|event| PizzaEvent::decode(&event.event_type, event.schema_version, &event.payload).unwrap());
    let title = |event| if let PizzaEvent::PizzaChanged { title, .. } = event { title } else { None };
    decoded.filter_map(title).collect()
}
