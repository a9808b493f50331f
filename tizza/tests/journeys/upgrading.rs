//! Two releases at once, while a service after the other is brought up to the next one, or back.

use std::path::Path;

use event_log::{Actor, Append, EventLog, Metadata, NewEvent, Outcome, Partition};
use reqwest::{Method, StatusCode};
use uuid::Uuid;

use crate::{
    client::{Address, Client},
    home::Home,
    next,
    process::Process,
    server::eventually,
    topic::through,
};

const PUBLIC_URL: &str = "http://tizza.test";

fn role(home: &Home, program: &Path, name: &str) -> Process {
    let mut command = home.program(program);
    command.arg(name).env("PUBLIC_URL", PUBLIC_URL).env("CREATE_TOPIC", "true");
    Process::spawn(command)
}

fn listens(process: &mut Process, message: &str) -> String {
    format!("http://{}", process.says(message)["address"].as_str().unwrap())
}

fn ends(mut process: Process) {
    process.signal("TERM");
    assert_eq!(process.ended().code(), Some(0), "{:?}", process.told());
}

/// Which partition somebody's events are in, by the token of an answer.
fn partition(answer: &crate::client::Answer) -> u16 {
    answer.headers["consistency-token"].to_str().unwrap().split('.').nth(1).unwrap().parse().unwrap()
}

/// What a later release may write, and this one has never heard of.
async fn writes_something_unknown(log: &EventLog, partition: u16) {
    let payload = r#"{"pizza_id":"?"}"#.into();
    let append = Append {
        stream_id: Uuid::new_v4(),
        kind: "recipe",
        partition: Partition::new(partition).unwrap(),
        expected: 0,
        after: None,
        events: vec![NewEvent { event_id: Uuid::now_v7(), event_type: "RecipeShared", schema_version: 1, payload }],
        metadata: Metadata {
            actor: Actor::Anonymous,
            subject_id: None,
            correlation_id: "next".into(),
            causation_id: None,
            traceparent: None,
        },
        reads: vec![],
        claims: vec![],
        links: vec![],
        key: None,
    };
    assert!(matches!(log.append(append).await, Ok(Outcome::Appended { .. })));
}

/// Those who fold are upgraded first, those who write last; who goes back too far stands still where it cannot read on, for all to see, and misses nothing.
#[tokio::test]
async fn consumers_first_and_a_consumer_that_is_too_old_stands_still_and_misses_nothing() {
    let Some(home) = Home::in_postgres() else { return };
    let Ok(servers) = test_servers::shared_broker() else { return };
    let home = through(&home, &servers);
    let (today, next) = (Path::new(env!("CARGO_BIN_EXE_tizza")), next::program());
    let (mut commands, mut projector, mut queries) =
        (role(&home, today, "command-api"), role(&home, today, "projector"), role(&home, today, "query-api"));
    let queries_at = listens(&mut queries, "query-api listens");
    let address = |commands| Address { public: PUBLIC_URL.into(), commands, queries: queries_at.clone() };
    let by_today = address(listens(&mut commands, "command-api listens"));
    projector.says("projector folds");
    let anybody = Client::new(by_today.clone());
    eventually("the views are made", async || (anybody.get("/api/v1/pizzas").await.status == StatusCode::OK).then_some(())).await;
    let likes = async |client: &Client, pizza: &str| client.get(pizza).await.expect(StatusCode::OK).body["like_count"].clone();

    let luigi = Client::new(by_today.clone()).signs_up("luigi").await;
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let ada = Client::new(by_today.clone()).signs_up("ada").await;
    let liked = ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    assert_eq!(likes(&ada, &pizza).await, 1);

    // Who folds is of the next release, too, and reads what today's writes. It has another version of the pizzas, which today's do not read.
    let mut next_projector = role(&home, next, "projector");
    next_projector.says("projector folds");
    let bob = Client::new(by_today.clone()).signs_up("bob").await;
    bob.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    assert_eq!(likes(&bob, &pizza).await, 2);

    // Who writes is of both for a while. Today's knows what it does not know.
    let mut next_commands = role(&home, next, "command-api");
    let by_next = address(listens(&mut next_commands, "command-api listens"));
    let carol = Client::new(by_next.clone()).signs_up("carol").await;
    carol.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    assert_eq!(likes(&carol, &pizza).await, 3);
    let carol_by_today = Client::new(by_today.clone()).logs_in("carol").await;
    carol_by_today.reacts(&pizza, "dislike").await.problem(503, "unavailable");
    ada.reacts(&pizza, "dislike").await.expect(StatusCode::OK);
    carol.reacts(&pizza, "dislike").await.expect(StatusCode::OK);
    carol.sees(&ada);
    assert_eq!(likes(&carol, &pizza).await, 1);

    // Back too far: what today's projector cannot read stops it there, and nowhere else.
    ends(projector);
    ends(next_projector);
    let mut projector = role(&home, today, "projector");
    projector.says("projector folds");
    let dora = Client::new(by_next.clone()).signs_up("dora").await;
    let stuck = dora.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    projector.says("a projection stands still");
    let mut names = (0..).map(|n| format!("eve{n}"));
    let eve = loop {
        let eve = Client::new(by_next.clone()).signs_up(&names.next().unwrap()).await;
        let disliked = eve.reacts(&pizza, "dislike").await.expect(StatusCode::CREATED);
        if partition(&disliked) != partition(&stuck) {
            break eve;
        }
    };
    assert_eq!(likes(&eve, &pizza).await, 1, "others are folded");
    let late = dora.request(Method::GET, &pizza).header("prefer", "wait=0");
    dora.answer(late).await.unwrap().problem(504, "projection-behind");
    let log = home.log().await;
    writes_something_unknown(&log, partition(&liked)).await;
    log.close().await;

    let mut next_projector = role(&home, next, "projector");
    next_projector.says("projector folds");
    assert_eq!(likes(&dora, &pizza).await, 2, "nothing was skipped");
    ada.reacts(&pizza, "like").await.expect(StatusCode::OK);
    assert_eq!(likes(&ada, &pizza).await, 3, "an event that nobody lists is passed over");
    [commands, next_commands, queries, projector, next_projector].into_iter().for_each(ends);
}
