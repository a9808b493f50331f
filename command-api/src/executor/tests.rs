//! Several processes on one log: what each of them remembers may be old, what it answers is not.

use std::collections::BTreeSet;

use database::StoreUrl;
use event_log::EventLog;
use events::{PizzaEvent, PizzaId, PizzeriaId, UserId, ids::CredentialId, pizzerias::PizzeriaClosure, users::UserDeletion};
use serde_json::json;
use service_kit::{
    config::{Listen, PublicUrl},
    fields::Field,
    identity::Identity,
    secrets::Secrets,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

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

/// Two processes on one log.
struct Tizza {
    _folder: TempDir,
    a: App,
    b: App,
}

impl Tizza {
    async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (process(&folder).await, process(&folder).await);
        Self { _folder: folder, a, b }
    }

    /// Ada has a place with a pizza, and the first process remembers all of it.
    async fn new() -> Self {
        let tizza = Self::empty().await;
        sign_up(&tizza.a, ADA, "Ada").await.unwrap();
        send::<Pizzeria>(&tizza.a, TRATTORIA.0, &open()).await.unwrap();
        send::<Pizza>(&tizza.a, MARGHERITA.0, &list()).await.unwrap();
        tizza
    }

    /// The second process ends Ada's account, and the first one hears nothing of it.
    async fn without_ada() -> Self {
        let tizza = Self::new().await;
        let delete = users::Command::Delete { reason: UserDeletion::SelfRequested, is_superuser: false };
        send::<User>(&tizza.b, ADA.0, &delete).await.unwrap();
        tizza
    }
}

async fn process(folder: &TempDir) -> App {
    let store = |name: &str| StoreUrl::file(folder.path().join(name));
    let secrets = Secrets { cookie_keys: vec![[1; 32]], claim_key: [2; 32] };
    let log = EventLog::open(&store("log.db")).await.unwrap();
    let identity = Identity::open(&store("identity.db"), &secrets, &public_url()).await.unwrap();
    App::new(log, identity, secrets.claim_key, public_url(), Settings { auto_approve_pizzas: false })
}

fn public_url() -> PublicUrl {
    let listen = Listen { http_host: "127.0.0.1".into(), http_port: None, public_url: None };
    listen.public_url(([127, 0, 0, 1], 80).into()).unwrap()
}

fn origin() -> Origin {
    Origin { actor: Actor::User(ADA.0), correlation_id: "test".into(), causation_id: None }
}

/// As a route does for Ada, who is logged in.
async fn send<A: Decider>(app: &App, stream_id: Uuid, command: &A::Command) -> Result<Done<A>, Problem> {
    app.execute::<A, _, _>(&origin(), stream_id, |look| async move {
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

#[tokio::test]
async fn what_another_process_ended_is_gone_and_not_changed() {
    let Tizza { a, b, .. } = &Tizza::new().await;
    let close = pizzerias::Command::Close { reason: PizzeriaClosure::Owner };
    send::<Pizzeria>(b, TRATTORIA.0, &close).await.unwrap();
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await), Err(Slug::Gone));
    assert_eq!(stored(a, TRATTORIA.0).await, ["PizzeriaOpened", "PizzeriaClosed"]);
}

#[tokio::test]
async fn what_another_process_changed_is_changed_further() {
    let Tizza { a, b, .. } = &Tizza::new().await;
    send::<Pizzeria>(b, TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Ada")).await), Ok(3));
    assert_eq!(told(send::<Pizzeria>(b, TRATTORIA.0, &rename("Da Grace")).await), Ok(4));
}

#[tokio::test]
async fn nothing_is_accepted_for_an_account_that_another_process_deleted() {
    let Tizza { a, .. } = &Tizza::without_ada().await;
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await), Err(Slug::Unauthenticated));
    assert_eq!(stored(a, TRATTORIA.0).await, ["PizzeriaOpened"]);
}

#[tokio::test]
async fn that_there_is_nothing_to_do_is_decided_again_when_it_rests_on_the_past() {
    let Tizza { a, .. } = &Tizza::without_ada().await;
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &open()).await), Err(Slug::Unauthenticated));
}

#[tokio::test]
async fn a_rejection_is_decided_again_when_it_rests_on_the_past() {
    let Tizza { a, .. } = &Tizza::without_ada().await;
    let nowhere = Uuid::from_u128(9);
    assert_eq!(told(send::<Pizzeria>(a, nowhere, &rename("Da Grace")).await), Err(Slug::Unauthenticated));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_changes_of_one_thing_wait_for_each_other() {
    let Tizza { a, .. } = &Tizza::new().await;
    let change = |(app, n)| async move { told(send::<Pizza>(&app, MARGHERITA.0, &retitle(format!("Margherita {n}"))).await) };
    let changes: JoinSet<_> = (0..20).map(|n| change((a.clone(), n))).collect();
    let mut versions = changes.join_all().await;
    versions.sort_by_key(|version| version.unwrap_or_default());
    assert_eq!(versions, (2..=21).map(Ok).collect::<Vec<_>>());
    assert_eq!(titles(a).await, (0..20).map(|n| format!("Margherita {n}")).collect());
}

#[tokio::test]
async fn who_had_nothing_to_do_is_shown_the_end_of_the_partition() {
    let Tizza { a, b, .. } = &Tizza::new().await;
    let renamed = send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    send::<Pizza>(b, MARGHERITA.0, &retitle("Bufala".into())).await.unwrap();
    let again = send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    let position = a.log.head(Partition::of(ADA.0)).await.unwrap();
    assert_eq!(again.token, ConsistencyToken { position, ..renamed.token });
    assert_eq!((position, again.version), (renamed.token.position + 1, renamed.version));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_a_name_exactly_one_gets_it() {
    let Tizza { a, b, .. } = &Tizza::empty().await;
    let wish = |(app, n): (App, u128)| async move { told(sign_up(&app, UserId(Uuid::from_u128(n)), ["Ada", "aDA"][n as usize % 2]).await) };
    let wishes: JoinSet<_> = (0..20).map(|n| wish(([a, b][n as usize / 2 % 2].clone(), n))).collect();
    let answers = wishes.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| [Ok(1), Err(Slug::UsernameTaken)].contains(answer)), "{answers:?}");
}

const GRACE: UserId = UserId(Uuid::from_u128(7));

#[tokio::test]
async fn a_place_that_another_opened_meanwhile_is_not_changed_by_a_stranger() {
    let Tizza { a, b, .. } = &Tizza::empty().await;
    sign_up(a, ADA, "Ada").await.unwrap();
    sign_up(a, GRACE, "Grace").await.unwrap();
    let answer = a
        .execute::<Pizzeria, _, _>(&origin(), TRATTORIA.0, |look| async move {
            users::active(&look, GRACE.0).await?;
            if look.find::<Pizzeria>(TRATTORIA.0).await?.is_some() {
                return Err(Problem::not_found()); // what pizzerias::http::role says to a stranger
            }
            send::<Pizzeria>(b, TRATTORIA.0, &open()).await.unwrap(); // Ada, in the other process
            let details = pizzerias::Details { name: "Grace was here".into(), address: String::new().into(), phone: String::new().into() };
            Ok(Intent { command: pizzerias::Command::Put { pizzeria_id: TRATTORIA, owner_id: GRACE, owned: 0, details }, subject: GRACE.0 })
        })
        .await;
    assert_eq!(told(answer), Err(Slug::NotFound));
}

#[tokio::test]
async fn who_became_the_first_superuser_meanwhile_is_not_deleted() {
    use users::superusers::{self, Superusers};
    let Tizza { a, b, .. } = &Tizza::new().await;
    let answer = a
        .execute::<User, _, _>(&origin(), ADA.0, |look| async move {
            users::active(&look, ADA.0).await?;
            let is_superuser = users::is_superuser(&look, ADA.0).await?;
            if !is_superuser {
                send::<Superusers>(b, events::ids::superusers(), &superusers::Command::GrantFirst { user_id: ADA }).await.unwrap();
            }
            Ok(Intent { command: users::Command::Delete { reason: UserDeletion::SelfRequested, is_superuser }, subject: ADA.0 })
        })
        .await;
    assert_eq!(told(answer), Err(Slug::Conflict));
}

#[tokio::test]
async fn who_was_suspended_meanwhile_does_not_change_the_profile() {
    let Tizza { a, b, .. } = &Tizza::new().await;
    let answer = a
        .execute::<User, _, _>(&origin(), ADA.0, |look| async move {
            users::active(&look, ADA.0).await?;
            let suspend = users::Command::Suspend { reason: None, is_superuser: false };
            let _ = send::<User>(b, ADA.0, &suspend).await;
            // Another request of hers, in the same process, finds out first.
            let _ = send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await;
            let change = users::ProfileChange {
                first_name: service_kit::fields::Patch::Set(Field::read(&json!("Augusta")).unwrap()),
                ..Default::default()
            };
            Ok(Intent { command: users::Command::ChangeProfile(change), subject: ADA.0 })
        })
        .await;
    assert_eq!(told(answer), Err(Slug::Unauthenticated));
}
