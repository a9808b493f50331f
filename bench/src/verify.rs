//! `tizza log verify`, beside reading and decoding the same log and nothing else.

use std::{collections::HashMap, time::Instant};

use anyhow::ensure;
use command_api::audit::Audit;
use database::StoreUrl;
use event_log::{
    Actor, Append, ClaimChange, ClaimKey, EventLog, KeyStore, Keys, LinkChange, LogStore, Metadata, NewEvent, Outcome, Partition,
};
use events::{Event, PizzaEvent, PizzaId, PizzeriaEvent, PizzeriaId, ReactionEvent, UserEvent, UserId, Vocabulary, ids::CredentialId};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    postgres::Cluster,
};

const USERS: u128 = 1_000;
/// Each on the card of one user's place.
const PIZZAS: u128 = 1_000;
/// Of each user.
const LIKES: u128 = 200;
const IN_FLIGHT: usize = 256;
const PAGE: usize = 1_000;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
const CLAIM_KEY: ClaimKey = ClaimKey::new([3; 32]);

/// `verify` of a log in a file, `postgres_verify` of one in Postgres.
///
/// # Errors
/// There is no Postgres, or something is wrong in the log.
pub async fn measure(bench: &Bench, report: &Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    of(bench, "verify", &StoreUrl::file(folder.path().join("log.db")), &StoreUrl::file(folder.path().join("keys.db")), report).await?;
    let cluster = Cluster::start(&bench.folder, bench.seconds).await?;
    let url = cluster.new_database().parse()?;
    of(bench, "postgres_verify", &url, &url, report).await
}

async fn of(bench: &Bench, name: &str, log: &StoreUrl, keys: &StoreUrl, report: &Report) -> anyhow::Result<()> {
    eprintln!("{name}: {} events are written", USERS + PIZZAS * 2 + USERS * LIKES);
    fill(log, keys).await?;
    let keys = Keys::new(KeyStore::open(keys, PATIENCE).await?, &[[7; 32]]);
    let log = LogStore::open(log, PATIENCE).await?;
    let (value, baseline) = in_turn(name, bench.runs, async |_| verified(&log, &keys).await, async || folded(&log, &keys).await).await?;
    let baseline = Some(Baseline { value: baseline, unit: "events/s_read" });
    report.tell(&Figure { name, value, unit: "events/s", baseline, aim: Some(Aim::Ratio(0.5)) });
    log.close().await;
    keys.close().await;
    Ok(())
}

async fn verified(log: &LogStore, keys: &Keys) -> anyhow::Result<f64> {
    let started = Instant::now();
    let verified = log.verify(keys, Audit::new(CLAIM_KEY), |_| {}).await?;
    ensure!(verified.faults.is_empty(), "{:?}", verified.faults);
    Ok(verified.events as f64 / started.elapsed().as_secs_f64())
}

/// Reads all, and counts the likes of each pizza.
async fn folded(log: &LogStore, keys: &Keys) -> anyhow::Result<f64> {
    let (started, mut events, mut likes) = (Instant::now(), 0_u32, HashMap::<PizzaId, u32>::new());
    for partition in Partition::all() {
        let mut position = 0;
        loop {
            let page = keys.unseal(log.read(partition, position, PAGE).await?).await?;
            let Some(last) = page.last() else { break };
            position = last.position;
            for event in &page {
                events += 1;
                if let Event::Reaction(ReactionEvent::PizzaLiked { pizza_id, .. }) =
                    Event::decode(&event.event_type, event.schema_version, &event.payload)?
                {
                    *likes.entry(pizza_id).or_default() += 1;
                }
            }
        }
    }
    ensure!(likes.len() == PIZZAS as usize, "{} pizzas are liked", likes.len());
    Ok(f64::from(events) / started.elapsed().as_secs_f64())
}

async fn fill(log: &StoreUrl, keys: &StoreUrl) -> anyhow::Result<()> {
    let keys = Keys::new(KeyStore::open(keys, PATIENCE).await?, &[[7; 32]]);
    let log = EventLog::start(LogStore::open(log, PATIENCE).await?, keys).await?;
    let things = (0..USERS).map(signed_up).chain((0..PIZZAS).map(opened)).chain((0..PIZZAS).map(baked));
    let likes = (0..USERS).flat_map(|user| (0..LIKES).map(move |number| liked(user, (user * 7 + number) % PIZZAS)));
    let append = async |wish| {
        let outcome = log.append(wish).await?;
        ensure!(matches!(outcome, Outcome::Appended { .. }), "{outcome:?}");
        Ok(())
    };
    stream::iter(things.chain(likes)).map(append).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    log.close().await;
    Ok(())
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number + (1 << 64)))
}

fn pizzeria(number: u128) -> PizzeriaId {
    PizzeriaId(Uuid::from_u128(number + (2 << 64)))
}

fn pizza(number: u128) -> PizzaId {
    PizzaId(Uuid::from_u128(number + (3 << 64)))
}

fn signed_up(number: u128) -> Append {
    let name = format!("user{number}");
    let claims = vec![ClaimChange::Take(CLAIM_KEY.claim("username", &name))];
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
        metadata: Metadata { actor: Actor::User(subject.0), subject_id: Some(subject.0), correlation_id, causation_id: None },
        reads: vec![],
        claims: vec![],
        links: vec![],
        key: None,
    }
}
