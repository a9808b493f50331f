//! A history of many events, straight into a log: people sign up, open their places, bake, and like.

use anyhow::ensure;
use database::StoreUrl;
use event_log::{
    Actor, Append, ClaimChange, ClaimKey, EventLog, KeyStore, Keys, LinkChange, LogStore, Metadata, NewEvent, Outcome, Partition,
};
use events::{PizzaEvent, PizzaId, PizzeriaEvent, PizzeriaId, ReactionEvent, UserEvent, UserId, Vocabulary, ids::CredentialId};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

pub const USERS: u128 = 1_000;
/// Each on the card of one user's place.
pub const PIZZAS: u128 = 1_000;
/// Of each user, where nothing else is asked for.
const LIKES: u128 = 200;
/// How many events there are.
pub const EVENTS: u128 = events(LIKES);
const IN_FLIGHT: usize = 256;
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// The secrets that it is written with.
pub const CLAIM_KEY: [u8; 32] = [3; 32];
pub const KEY_ENCRYPTION_KEY: [u8; 32] = [7; 32];

/// How many events there are when each user likes so many pizzas.
pub const fn events(likes: u128) -> u128 {
    USERS + PIZZAS * 2 + USERS * likes
}

/// Writes it.
pub async fn fill(log: &StoreUrl, keys: &StoreUrl) -> anyhow::Result<()> {
    fill_with(log, keys, LIKES).await
}

/// The same; each user likes so many pizzas, at most as many as there are.
pub async fn fill_with(log: &StoreUrl, keys: &StoreUrl, likes: u128) -> anyhow::Result<()> {
    eprintln!("{} events are written to {log}", events(likes));
    let keys = Keys::new(KeyStore::open(keys, PATIENCE).await?, &[KEY_ENCRYPTION_KEY]);
    keys.check(true).await?;
    let claim_key = ClaimKey::new(CLAIM_KEY);
    let log = EventLog::start(LogStore::open(log, PATIENCE).await?, keys).await?;
    ensure!(log.knows(&claim_key).await?, "it is new");
    let things = (0..USERS).map(signed_up).chain((0..PIZZAS).map(opened)).chain((0..PIZZAS).map(baked));
    let likes = (0..USERS).flat_map(|user| (0..likes).map(move |number| liked(user, (user * 7 + number) % PIZZAS)));
    let append = async |wish| {
        let outcome = log.append(wish).await?;
        ensure!(matches!(outcome, Outcome::Appended { .. }), "{outcome:?}");
        Ok(())
    };
    stream::iter(things.chain(likes)).map(append).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    log.close().await;
    Ok(())
}

pub fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number + (1 << 64)))
}

pub fn pizzeria(number: u128) -> PizzeriaId {
    PizzeriaId(Uuid::from_u128(number + (2 << 64)))
}

pub fn pizza(number: u128) -> PizzaId {
    PizzaId(Uuid::from_u128(number + (3 << 64)))
}

fn signed_up(number: u128) -> Append {
    let name = format!("user{number}");
    let claims = vec![ClaimChange::Take(ClaimKey::new(CLAIM_KEY).claim("username", &name))];
    let event = UserEvent::UserSignedUp {
        user_id: user(number),
        credential_id: CredentialId(Uuid::nil()),
        username: name.into(),
        email: None,
        first_name: None,
        last_name: None,
    };
    Append { claims, ..append(user(number).0, user(number), &event) }
}

fn opened(number: u128) -> Append {
    let owner_id = user(number % USERS);
    let event = PizzeriaEvent::PizzeriaOpened {
        pizzeria_id: pizzeria(number),
        owner_id,
        name: "Da Luigi".into(),
        address: "Via Roma 1".to_owned().into(),
        phone: "+39 081 1".to_owned().into(),
    };
    let links = vec![LinkChange { kind: command_api::pizzerias::OF_OWNER, key: owner_id.0, present: true }];
    Append { links, ..append(pizzeria(number).0, owner_id, &event) }
}

fn baked(number: u128) -> Append {
    let event = PizzaEvent::PizzaCreated {
        pizza_id: pizza(number),
        pizzeria_id: pizzeria(number),
        title: format!("Pizza {number}"),
        description: "San Marzano tomatoes, mozzarella di bufala, basil".into(),
        thumbnail_url: None,
        diet: None,
    };
    let links = vec![LinkChange { kind: command_api::pizzas::OF_PIZZERIA, key: pizzeria(number).0, present: true }];
    Append { links, ..append(pizza(number).0, user(number % USERS), &event) }
}

fn liked(by: u128, number: u128) -> Append {
    let event = ReactionEvent::PizzaLiked { user_id: user(by), pizza_id: pizza(number), pizzeria_id: pizzeria(number) };
    append(events::ReactionId::of(user(by), pizza(number)).0, user(by), &event)
}

fn append<E: Vocabulary>(stream_id: Uuid, subject: UserId, event: &E) -> Append {
    let kind = event.kind_of_event();
    let new = NewEvent { event_id: Uuid::now_v7(), event_type: kind.name, schema_version: kind.schema_version, payload: event.encode() };
    let correlation_id = Uuid::now_v7().to_string();
    Append {
        stream_id,
        kind: E::KIND,
        partition: Partition::of(subject.0),
        expected: 0,
        after: None,
        events: vec![new],
        metadata: Metadata {
            actor: Actor::User(subject.0),
            subject_id: Some(subject.0),
            correlation_id,
            causation_id: None,
            traceparent: None,
        },
        reads: vec![],
        claims: vec![],
        links: vec![],
        key: None,
    }
}
