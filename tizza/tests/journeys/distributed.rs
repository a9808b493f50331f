//! Separate services on this machine: what `scripts/up` starts is as the README tells, and `scripts/down` leaves nothing of it running.

use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io::{BufRead, BufReader, Lines},
    net::{Ipv4Addr, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use reqwest::StatusCode;
use tempfile::TempDir;
use test_servers::{kafka::binaries, nginx, postgres};

use crate::{
    client::{Address, Client},
    tour,
};

const PORTS: [&str; 9] = [
    "HTTP_PORT",
    "COMMAND_PORT",
    "QUERY_PORT",
    "COMMAND_ADMIN_PORT",
    "QUERY_ADMIN_PORT",
    "PROJECTOR_ADMIN_PORT",
    "POSTGRES_PORT",
    "KAFKA_PORT",
    "KAFKA_CONTROLLER_PORT",
];

#[tokio::test]
async fn the_tour_of_the_readme_is_true_for_separate_services() {
    let Some(place) = Place::new() else { return };
    let services = place.up();
    tour::walk(&place.url(), place.settings());
    assert!(place.topic_has("ce_type:pizza.liked.1.0.0"));
    services.down(&place);

    let services = place.up();
    let pizzas = Client::new(Address::one(&place.url())).get("/api/v1/pizzas").await.expect(StatusCode::OK);
    assert_eq!(pizzas.body["count"], 1, "the data has stayed");
    services.down(&place);
}

/// Where services live, and with what they are started.
struct Place {
    folder: TempDir,
    ports: Vec<(&'static str, u16)>,
    postgres: PathBuf,
    kafka: &'static binaries::Binaries,
}

/// What `up` has started. It ends all that when its standard input ends, whatever becomes of us.
struct Services {
    up: Child,
    _said: Lines<BufReader<ChildStdout>>,
}

impl Place {
    /// `None`: something is missing here, which was told loudly.
    fn new() -> Option<Self> {
        let kafka = binaries::find().ok()?;
        nginx::find().ok()?;
        // Postgres may run as somebody else, who must get through.
        let open = Permissions::from_mode(0o711);
        let folder = tempfile::Builder::new().permissions(open).tempdir_in(postgres::parent_folder(None).unwrap()).unwrap();
        let postgres = postgres::programs(folder.path()).ok()?;
        let mut ports = BTreeSet::new();
        while ports.len() < PORTS.len() {
            ports.insert(test_servers::free_port().unwrap());
        }
        tour::has_curl().then(|| Self { folder, ports: PORTS.into_iter().zip(ports).collect(), postgres, kafka })
    }

    fn script(&self, name: &str) -> Command {
        let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts").join(name));
        script.arg(self.services()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        script
    }

    fn services(&self) -> PathBuf {
        self.folder.path().join("services")
    }

    fn up(&self) -> Services {
        let told = self.folder.path().join("told");
        let mut script = self.script("up");
        script.env("TIZZA", env!("CARGO_BIN_EXE_tizza")).env("PG_BIN", &self.postgres);
        script.env("JAVA_HOME", &self.kafka.java_home).env("KAFKA_LIBS", &self.kafka.libs);
        script.envs(self.ports.iter().map(|(name, port)| (name, port.to_string())));
        // A group of its own: an interrupt from the terminal ends us, and only that ends it.
        script.env("UP_GUARD", "1").env("UP_LIMIT", "120").process_group(0);
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&told).unwrap());
        let mut up = script.spawn().unwrap();
        let mut said = BufReader::new(up.stdout.take().unwrap()).lines();
        let is_up = said.by_ref().map_while(Result::ok).any(|line| line.starts_with("to stop it:"));
        let services = Services { up, _said: said };
        assert!(is_up, "{}", fs::read_to_string(told).unwrap());
        services
    }

    fn port(&self, name: &str) -> u16 {
        self.ports.iter().find(|(setting, _)| *setting == name).unwrap().1
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port("HTTP_PORT"))
    }

    /// Those that `up` leaves for other commands.
    fn settings(&self) -> Vec<(String, String)> {
        let settings = fs::read_to_string(self.services().join("settings")).unwrap();
        settings.lines().map(|line| line.split_once('=').unwrap()).map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// Whether Kafka's own consumer finds a record with such a header.
    fn topic_has(&self, header: &str) -> bool {
        let mut consumer = Command::new(self.kafka.java())
            .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(self.kafka.libs.join("*"))
            .args(["org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", "tizza.events", "--from-beginning"])
            .args(["--formatter-property", "print.headers=true", "--timeout-ms", "30000"])
            .args(["--bootstrap-server", &format!("127.0.0.1:{}", self.port("KAFKA_PORT"))])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(consumer.stdout.take().unwrap()).lines().map_while(Result::ok);
        let found = lines.into_iter().any(|line| line.contains(header));
        consumer.kill().unwrap();
        consumer.wait().unwrap();
        found
    }

    /// The processes that `up` has written down.
    fn pids(&self) -> Vec<u32> {
        let files = fs::read_dir(self.services().join("run")).unwrap();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        texts.map(|text| text.split_whitespace().next().unwrap().parse().unwrap()).collect()
    }
}

impl Services {
    fn down(mut self, place: &Place) {
        let pids = place.pids();
        assert_eq!(pids.len(), 6);
        let down = place.script("down").output().unwrap();
        assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));

        assert!(place.pids().is_empty());
        assert!(!pids.iter().any(|pid| lives(*pid)), "one of {pids:?} lives");
        for (name, port) in &place.ports {
            assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err(), "{name} is in use");
        }
        drop(self.up.stdin.take());
        assert!(self.up.wait().unwrap().success());
    }
}

impl Drop for Services {
    /// Waiting for it closes its standard input first.
    fn drop(&mut self) {
        self.up.wait().ok();
    }
}

/// Whether a process runs: one that has ended may wait for its parent to see it.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}
