//! Three brokers, of which two must have a record: one may be gone, whichever it is, and with two gone commands go on all the same.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use reqwest::StatusCode;
use test_servers::Cluster;

use crate::{
    client::{Address, Client, eventually},
    crashes::{nobody_writes, rows_are_a_fold_of_the_log},
    home::Home,
    process::Process,
    server::Server,
    topic::{through, verified, write},
};

const WRITERS: usize = 3;
const ANSWER: Duration = Duration::from_secs(5);

/// Who leads each partition of the topic, and how many have all of it.
fn partitions(cluster: &Cluster, topic: &str) -> Vec<(i32, usize)> {
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", cluster.bootstrap()).create().unwrap();
    let Ok(metadata) = client.fetch_metadata(Some(topic), ANSWER) else { return vec![] };
    metadata.topics()[0].partitions().iter().map(|partition| (partition.leader(), partition.isr().len())).collect()
}

async fn all_have_all(cluster: &Cluster, topic: &str) {
    let whole = || partitions(cluster, topic).iter().filter(|(_, in_sync)| *in_sync == 3).count() == 16;
    eventually("each broker has all", async || tokio::task::block_in_place(whole).then_some(())).await;
}

struct Load {
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn on(server: &Server) -> Self {
        let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let client = || Client::new(Address::one(&server.url));
        let writers = (0..WRITERS).map(|n| tokio::spawn(write(client(), n, stop.clone(), done.clone()))).collect();
        Self { done, stop, writers }
    }

    async fn goes_on(&self, when: &str) {
        let enough = self.done.load(SeqCst) + 60;
        eventually(when, async || (self.done.load(SeqCst) >= enough).then_some(())).await;
    }

    async fn ends(self) {
        self.stop.store(true, SeqCst);
        for writer in self.writers {
            writer.await.unwrap();
        }
    }
}

async fn readyz(server: &Server) -> serde_json::Value {
    server.client().get(&format!("{}/readyz", server.admin_url)).await.expect(StatusCode::OK).body
}

async fn all_has_arrived_and_is_folded(server: &Server) {
    eventually("all has arrived, and is folded", async || {
        let ready = readyz(server).await;
        let folded = ready["lag_events"].as_object().unwrap().values().all(|lag| *lag == 0);
        (ready["kafka"]["backlog_events"] == 0 && folded).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_brokers_any_may_go_and_nothing_is_lost_and_without_two_commands_go_on() {
    let (Some(home), Some(anew)) = (Home::in_postgres(), Home::in_postgres()) else { return };
    let Ok(mut cluster) = tokio::task::block_in_place(Cluster::start) else { return };
    let home = through(&home, &cluster.bootstrap())
        .with("CREATE_TOPIC", Path::new("true"))
        .with("KAFKA_REPLICATION", Path::new("3"))
        .with("KAFKA_MIN_INSYNC", Path::new("2"));
    let topic = home.setting("KAFKA_TOPIC");
    let mut server = Server::start_in(&home);
    let load = Load::on(&server);
    load.goes_on("before anything happens").await;

    // The leader of partitions is killed.
    let leader = partitions(&cluster, &topic)[0].0;
    let leader = usize::try_from(leader).unwrap() - 1;
    tokio::task::block_in_place(|| cluster.brokers[leader].stop());
    load.goes_on("without a leader of partitions").await;
    eventually("others lead", async || {
        let led = tokio::task::block_in_place(|| partitions(&cluster, &topic));
        (led.len() == 16 && led.iter().all(|(other, _)| *other > 0 && *other != leader as i32 + 1)).then_some(())
    })
    .await;
    all_is_relayed_under_load(&server, &load).await;

    // A second one: nothing can be sent any more.
    tokio::task::block_in_place(|| cluster.brokers[(leader + 1) % 3].stop());
    load.goes_on("without two of three").await;
    eventually("operators are told", async || (readyz(&server).await["status"] == "degraded").then_some(())).await;
    waits_for_the_brokers(&home, &server).await;
    for broker in [leader, (leader + 1) % 3] {
        tokio::task::block_in_place(|| cluster.brokers[broker].restart());
    }
    all_have_all(&cluster, &topic).await;
    all_is_relayed_under_load(&server, &load).await;

    // One after the other, as an upgrade does.
    for broker in 0..3 {
        tokio::task::block_in_place(|| cluster.brokers[broker].restart());
        load.goes_on("a broker was started again").await;
        all_have_all(&cluster, &topic).await;
    }
    load.ends().await;
    all_has_arrived_and_is_folded(&server).await;
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
    let told = verified(&home);
    assert_eq!((&told["topic"]["behind"], &told["topic"]["foreign"]), (&0.into(), &0.into()), "{told}");
    nobody_writes(&home).await;
    rows_are_a_fold_of_the_log(&home, &anew).await;
}

/// What is written now arrives: the topic is not far behind although there is always something new.
async fn all_is_relayed_under_load(server: &Server, load: &Load) {
    eventually("events arrive", async || {
        let kafka = readyz(server).await["kafka"].clone();
        (kafka["backlog_seconds"].as_u64().unwrap() < 2).then_some(())
    })
    .await;
    load.goes_on("and go on arriving").await;
}

/// Of a command-api whose answers wait for the brokers: 202, because they do not answer.
async fn waits_for_the_brokers(home: &Home, server: &Server) {
    let mut command = home.tizza();
    command.arg("command-api").env("ACK", "kafka").env("PUBLIC_URL", &server.url);
    let mut waiting = Process::spawn(command);
    let url = format!("http://{}", waiting.says("command-api listens")["address"].as_str().unwrap());
    let signed_up = serde_json::json!({ "username": "late", "password": crate::server::PASSWORD });
    Client::new(Address::one(&url)).post("/api/v1/users", signed_up).await.expect(StatusCode::ACCEPTED);
    waiting.signal("TERM");
    assert_eq!(waiting.ended().code(), Some(0));
}
