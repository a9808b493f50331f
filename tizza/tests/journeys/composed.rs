//! The services with what `docker-compose.yml` gives them and nothing else, over a real Postgres and a real broker. Only addresses, ports and folders are others.

use std::{fs, path::Path, process::Command};

use reqwest::StatusCode;
use serde_json::Value;
use test_servers::Kafka;

use crate::{
    client::{Address, Client, eventually},
    deployment::{compose, root},
    process::Process,
};

/// Where a gateway would be found.
const PUBLIC_URL: &str = "http://tizza.test";

/// What the services of the file are started with here.
struct Host {
    folder: tempfile::TempDir,
    compose: Value,
    broker: Kafka,
}

impl Host {
    /// `None`: something is missing here, which was told loudly.
    fn new() -> Option<Self> {
        let (database, broker) = (test_servers::shared_database().ok()?, Kafka::start().ok()?);
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(root().join("scripts/secrets")).arg(folder.path().join("secrets")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for store in ["log_url", "keys_url", "identity_url", "read_url"] {
            // What is made is to be read only.
            fs::remove_file(folder.path().join("secrets").join(store)).unwrap();
            fs::write(folder.path().join("secrets").join(store), format!("{database}\n")).unwrap();
        }
        Some(Self { folder, compose: compose(), broker })
    }

    /// Where a path of a container is here.
    fn path(&self, inside: &str) -> String {
        let place = |name: &str| self.folder.path().join(name).display().to_string();
        inside.replace("/run/secrets", &place("secrets")).replace("/var/lib/tizza", &place(""))
    }

    fn command(&self, name: &str) -> Command {
        let service = &self.compose["services"][name];
        let mut command = Command::new(env!("CARGO_BIN_EXE_tizza"));
        // The image's own, too: it is where nothing can be written.
        command.env_clear().env("DATA_DIR", "/proc/tizza").current_dir("/");
        for (setting, value) in service["environment"].as_object().unwrap() {
            match (setting.as_str(), value) {
                ("HTTP_PORT" | "ADMIN_PORT", _) => command.env(setting, "0"),
                ("ADMIN_HOST", _) => command.env(setting, "127.0.0.1"),
                ("PUBLIC_URL", _) => command.env(setting, PUBLIC_URL),
                ("KAFKA_URL", _) => command.env(setting, self.broker.bootstrap()),
                (_, Value::String(text)) => command.env(setting, self.path(text)),
                (_, other) => command.env(setting, other.to_string()),
            };
        }
        command
    }

    fn start(&self, name: &str) -> Process {
        let role = self.compose["services"][name]["command"][0].as_str().unwrap();
        let mut command = self.command(name);
        command.arg(role);
        Process::spawn(command)
    }

    fn operator(&self, arguments: &[&str]) -> String {
        let told = self.command("operator").args(arguments).output().unwrap();
        assert!(told.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap()
    }
}

#[tokio::test]
async fn services_need_no_more_than_docker_compose_gives_them() {
    let Some(host) = Host::new() else { return };
    let mut processes = ["command-api", "command-api", "projector", "projector", "query-api"].map(|name| host.start(name));
    let listens = |process: &mut Process, message| format!("http://{}", process.says(message)["address"].as_str().unwrap());
    let commands = [0, 1].map(|at| listens(&mut processes[at], "command-api listens"));
    let queries = listens(&mut processes[4], "query-api listens");
    let [first, second] = commands.map(|commands| Client::new(Address { public: PUBLIC_URL.into(), commands, queries: queries.clone() }));
    eventually("the views are made", async || (first.get("/api/v1/pizzas").await.status == StatusCode::OK).then_some(())).await;

    let (luigi, ada) = (first.signs_up("luigi").await, second.signs_up("ada").await);
    luigi.opens_pizzeria().await;
    let pizza = luigi.creates_pizza("Margherita").await;
    ada.sees(&luigi);
    ada.reacts(&pizza, "like").await.expect(StatusCode::CREATED);
    assert_eq!(ada.get(&pizza).await.expect(StatusCode::OK).body["like_count"], 1);

    for leaves in [&luigi, &ada] {
        leaves.delete("/api/v1/users/me").await.expect(StatusCode::ACCEPTED);
    }
    let list = host.path(host.compose["services"]["command-api"]["environment"]["ERASURES_FILE"].as_str().unwrap());
    let listed = || {
        fs::read_to_string(Path::new(&list)).unwrap().lines().map(|line| line[28..].to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(listed().len(), 2, "both write to one list");

    let admin = processes[2].says("projector folds")["admin"].as_str().unwrap().to_owned();
    let projections = host.operator(&["projections", "--json", "--admin-url", &format!("http://{admin}")]);
    assert_eq!(serde_json::from_str::<Value>(&projections).unwrap().as_array().unwrap().len(), 4, "{projections}");
    host.operator(&["migrate"]);
    let verified = || serde_json::from_str::<Value>(&host.operator(&["log", "verify", "--topic", "--json"])).unwrap();
    eventually("the topic has all of it", async || (verified()["topic"]["behind"] == 0).then_some(())).await;
    for process in &mut processes {
        process.signal("TERM");
        assert_eq!(process.ended().code(), Some(0));
    }
}
