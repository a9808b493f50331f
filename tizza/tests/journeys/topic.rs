//! Through a real Kafka: commands append events to the log, the topic holds them, projectors fold them from there, queries answer.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use test_servers::Kafka;

use crate::{
    client::{Address, Client},
    crashes::{nobody_writes, rows_are_a_fold_of_the_log},
    home::{Home, on_both_databases},
    process::Process,
    server::{PASSWORD, Server, eventually},
    starting::refused,
};

on_both_databases!(a_like_is_on_the_topic_then_a_row_then_an_answer, what_is_wrong_with_a_topic_is_said);

/// The same home, with a topic of its own at these brokers.
pub fn through(home: &Home, servers: &str) -> Home {
    let topic = home.data_dir().parent().unwrap().file_name().unwrap().to_string_lossy().replace(|c: char| !c.is_alphanumeric(), "");
    home.with("KAFKA_URL", Path::new(servers))
        .with("KAFKA_TOPIC", Path::new(&topic))
        .with("KAFKA_GROUP", Path::new(&topic))
        .with("KAFKA_SESSION_TIMEOUT", Path::new("6"))
}

/// What Kafka's own consumer prints: headers and value of each record.
fn consumed(broker: &Kafka, topic: &str, records: usize) -> String {
    let mut command = Command::new(broker.java());
    command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-XX:TieredStopAtLevel=1", "-cp"]).arg(broker.libs().join("*"));
    command.args(["org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", &broker.bootstrap(), "--topic", topic]);
    command.args(["--from-beginning", "--formatter-property", "print.headers=true", "--timeout-ms", "20000", "--max-messages"]);
    let output = command.arg(records.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `tizza log verify --topic`: all of the log is there.
pub fn verified(home: &Home) -> Value {
    let output = home.tizza().args(["log", "verify", "--topic", "--json"]).output().unwrap();
    assert!(output.status.success(), "{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn a_like_is_on_the_topic_then_a_row_then_an_answer(home: Home) {
    let Ok(mut broker) = Kafka::start() else { return };
    let home = through(&home, &broker.bootstrap()).with("ACK", Path::new("kafka"));
    let server = Server::start_in(&home);
    let (luigi, ada) = (server.user("luigi").await, server.user("ada").await);
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    let liked = ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    // The answer has waited for the broker, so the record is there.
    let topic = home.setting("KAFKA_TOPIC");
    let printed = consumed(&broker, &topic, 6);
    let record = printed.lines().find(|line| line.contains("ce_type:pizza.liked.1.0.0")).unwrap();
    let token = liked.headers["consistency-token"].to_str().unwrap();
    let position: u64 = token.rsplit_once('.').unwrap().1.parse().unwrap();
    assert!(record.contains(&format!("ce_sequence:{position:020}")) && record.contains(&liked.body["pizza_id"].to_string()), "{record}");
    assert!(!printed.contains("luigi") && printed.contains("$sealed"), "what is personal is sealed: {printed}");
    ada.sees(&luigi);
    assert_eq!(ada.get(&pizza).await.expect(StatusCode::OK).body["like_count"], 1);

    // The broker is away: commands go on, their answers say that it has not heard of them, rows wait for it.
    broker.stop();
    let disliked = ada.reacts(&pizza, "dislike").await.expect(StatusCode::ACCEPTED);
    assert!(disliked.headers.contains_key("consistency-token"));
    eventually("it is degraded, not dead", async || {
        let ready = ada.get(&format!("{}/readyz", server.admin_url)).await.expect(StatusCode::OK);
        (ready.body["status"] == "degraded" && ready.body["kafka"]["backlog_events"] == 1).then_some(())
    })
    .await;
    broker.restart();
    assert_eq!(ada.get(&pizza).await.expect(StatusCode::OK).body["dislike_count"], 1);
    let told = verified(&home);
    assert_eq!((&told["topic"]["behind"], &told["events"]), (&json!(0), &json!(7)));
}

async fn what_is_wrong_with_a_topic_is_said(home: Home) {
    let Ok(servers) = test_servers::shared_broker() else { return };
    let here = through(&home, &servers);
    let mut command = here.tizza();
    command.arg("command-api");
    let missing = refused(command);
    assert!(missing.contains("there is no topic") && missing.contains("--create-topic"), "{missing}");
    let mut alone = home.tizza();
    alone.arg("relay");
    assert!(refused(alone).contains("KAFKA_URL"));
    let mut wrong = home.tizza();
    wrong.env("KAFKA_URL", "nowhere");
    assert!(refused(wrong).contains("KAFKA_URL: expected HOST:PORT"));

    let mut impossible = here.tizza();
    impossible.env("KAFKA_MIN_INSYNC", "2");
    assert!(refused(impossible).contains("KAFKA_MIN_INSYNC: at most KAFKA_REPLICATION, which is 1"));

    let server = Server::start_in(&here);
    server.user("ada").await;
    eventually("it is relayed", async || {
        let ready = server.client().get(&format!("{}/readyz", server.admin_url)).await;
        (ready.body["kafka"]["backlog_events"] == 0).then_some(())
    })
    .await;
    drop(server);
    // Another log, and the same topic.
    let other = Home::in_files().with("KAFKA_URL", Path::new(&servers)).with("KAFKA_TOPIC", Path::new(&here.setting("KAFKA_TOPIC")));
    let disagrees = refused(other.tizza());
    assert!(disagrees.contains("disagree") && disagrees.contains("new-epoch"), "{disagrees}");
    assert_eq!(verified(&here)["topic"]["repeated"], 0);
}

const PUBLIC_URL: &str = "http://tizza.test";
const WRITERS: usize = 4;

fn role(home: &Home, name: &str) -> Process {
    let mut command = home.tizza();
    command.args([name]).env("PUBLIC_URL", PUBLIC_URL).env("CREATE_TOPIC", "true");
    if name == "command-api" {
        command.env("RELAY", "false");
    }
    Process::spawn(command)
}

/// Every process is killed, frozen or doubled while commands come in; then the topic and the rows are what the log says.
#[tokio::test]
async fn whatever_dies_freezes_or_joins_the_topic_and_the_rows_are_what_the_log_says() {
    let (Some(home), Some(anew)) = (Home::in_postgres(), Home::in_postgres()) else { return };
    let Ok(broker) = Kafka::start() else { return };
    let home = through(&home, &broker.bootstrap());
    let mut commands = role(&home, "command-api");
    let mut relays = [role(&home, "relay"), role(&home, "relay")];
    let mut projector = role(&home, "projector");
    let mut queries = role(&home, "query-api");
    let listens = |process: &mut Process, message| format!("http://{}", process.says(message)["address"].as_str().unwrap());
    let address = Address {
        public: PUBLIC_URL.into(),
        commands: listens(&mut commands, "command-api listens"),
        queries: listens(&mut queries, "query-api listens"),
    };
    relays.iter_mut().for_each(|relay| drop(relay.says("relay relays")));
    projector.says("projector folds");
    let client = Client::new(address.clone());
    eventually("the views are made", async || (client.get("/api/v1/pizzas").await.status == StatusCode::OK).then_some(())).await;

    let (stop, done) = (Arc::new(std::sync::atomic::AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(write(Client::new(address.clone()), n, stop.clone(), done.clone()))).collect();
    let more = async |what: &str| {
        let enough = done.load(SeqCst) + 60;
        eventually(what, async || (done.load(SeqCst) >= enough).then_some(())).await;
    };
    more("before anything happens").await;
    relays[0].signal("KILL");
    more("a relay is gone").await;
    relays[0] = role(&home, "relay");
    relays[0].says("relay relays");
    more("there are two again").await;
    relays[1].signal("STOP");
    more("one is frozen").await;
    projector.signal("KILL");
    projector = role(&home, "projector");
    let mut second = role(&home, "projector");
    let theirs = {
        let admin = second.says("projector folds")["admin"].as_str().unwrap().to_owned();
        let client = client.clone();
        async move |number: u64| {
            let ready = client.get(&format!("http://{admin}/readyz")).await;
            (ready.body["topic"]["partitions"] == number).then_some(())
        }
    };
    more("two projectors share the partitions").await;
    // One that is frozen loses its partitions, and finds out when it goes on.
    projector.signal("STOP");
    eventually("the other one has them all", async || theirs(16).await).await;
    more("one folds alone").await;
    projector.signal("CONT");
    eventually("they share again", async || theirs(8).await).await;
    let (log, members) = (home.log().await, format!("relay/{}/member/", home.setting("KAFKA_TOPIC")));
    eventually("past its lease", async || (log.held(&members).await.unwrap() == 1).then_some(())).await;
    relays[1].signal("CONT");
    more("it is thawed").await;
    second.signal("TERM");
    assert_eq!(second.ended().code(), Some(0));
    more("one has left").await;
    stop.store(true, SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }

    let mut heads = vec![];
    for partition in event_log::Partition::all() {
        heads.push(log.head(partition).await.unwrap());
    }
    log.close().await;
    let store = home.read_store().await;
    eventually("everything is folded", async || {
        let checkpoints = store.checkpoints().await.unwrap();
        (!checkpoints.is_empty() && checkpoints.values().all(|positions| positions[..] == heads[..])).then_some(())
    })
    .await;
    store.close().await;
    for process in [&mut commands, &mut projector, &mut queries].into_iter().chain(&mut relays) {
        process.signal("TERM");
        assert_eq!(process.ended().code(), Some(0), "{:?}", process.told());
    }
    let told = verified(&home);
    assert_eq!(told["topic"]["behind"], 0, "{told}");
    assert_eq!(told["topic"]["foreign"], 0, "{told}");
    nobody_writes(&home).await;
    rows_are_a_fold_of_the_log(&home, &anew).await;
}

/// Opens a place, and then bakes, likes and dislikes until it is told to stop.
pub async fn write(client: Client, n: usize, stop: Arc<std::sync::atomic::AtomicBool>, done: Arc<AtomicUsize>) {
    let account = json!({ "username": format!("owner{n}"), "password": PASSWORD });
    client.post("/api/v1/users", account).await.expect(StatusCode::CREATED);
    client.opens_pizzeria().await;
    for turn in 0.. {
        let pizza = client.creates_pizza(&format!("Pizza {turn}")).await;
        for reaction in ["like", "dislike"] {
            let reacted = client.reacts(&pizza, reaction).await;
            assert!(reacted.status.is_success(), "{reacted:?}");
            done.fetch_add(1, SeqCst);
        }
        if stop.load(SeqCst) {
            return;
        }
    }
}
