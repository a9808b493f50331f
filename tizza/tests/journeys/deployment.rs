//! `docker-compose.yml`, `Dockerfile` and what they mount, in step with the program. No container is started.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use test_servers::nginx;

/// What the program knows about a role.
struct Help(String);

impl Help {
    /// `None`: there is no such role.
    fn of(role: &str) -> Option<Self> {
        Self::of_all(&[role])
    }

    fn of_all(commands: &[&str]) -> Option<Self> {
        let told = Command::new(env!("CARGO_BIN_EXE_tizza")).args(commands).arg("--help").env_clear().output().unwrap();
        let words: Vec<_> = String::from_utf8(told.stdout).unwrap().split_whitespace().map(ToOwned::to_owned).collect();
        told.status.success().then(|| Self(words.join(" ")))
    }

    fn lists(&self, setting: &str) -> bool {
        // The server's own keys are no flags.
        let keys = ["CLAIM_KEY_FILE", "COOKIE_KEYS_FILE", "KEY_ENCRYPTION_KEYS_FILE"];
        keys.contains(&setting) || self.0.contains(&format!("[env: {setting}=")) || self.0.contains(&format!("[env: {setting}]"))
    }

    /// Whether this is said to be the port of a role.
    fn has_port(&self, role: &str, port: &Value) -> bool {
        [',', ']'].iter().any(|end| self.0.contains(&format!("{role} {port}{end}")))
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn compose() -> Value {
    serde_saphyr::from_str(&file("docker-compose.yml")).unwrap()
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_object().unwrap().iter().map(|(name, service)| (name.as_str(), service))
}

/// Those that run the program.
fn own(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    services(compose).filter(|(_, service)| service["image"].as_str().is_some_and(|image| image.starts_with("tizza:")))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().map(|item| item.as_str().unwrap()).collect()
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn each_service_has_a_role_settings_and_ports_that_the_program_knows() {
    let compose = compose();
    let mut found = 0;
    for (name, service) in own(&compose).filter(|(name, _)| *name != "operator") {
        let role = texts(&service["command"])[0];
        let help = Help::of(role).unwrap_or_else(|| panic!("{name}: there is no role {role}"));
        assert_eq!(role, name);
        for setting in names(&service["environment"]) {
            assert!(help.lists(setting), "{name}: tizza {role} has no setting {setting}");
        }
        for port in ["HTTP_PORT", "ADMIN_PORT"] {
            let set = &service["environment"][port];
            assert_eq!(help.lists(port), !set.is_null(), "{name}: {port}");
            assert!(set.is_null() || help.has_port(role, set), "{name}: {port} is {set}");
        }
        assert_eq!(service["healthcheck"]["test"], serde_json::json!(["CMD", "tizza", "ready"]), "{name}");
        assert!(service["deploy"]["replicas"].as_u64() >= Some(2), "{name}");
        found += 1;
    }
    assert_eq!(found, 3);
    assert!(Help::of("ready").unwrap().lists("ADMIN_PORT"), "a health check finds the port");
    assert!(Help::of("nonsense").is_none());
}

#[test]
fn operators_have_every_store_and_key_that_a_service_has() {
    let compose = compose();
    let has = |service: &Value| -> BTreeSet<String> {
        let settings = names(&service["environment"]).into_iter();
        settings.filter(|setting| setting.ends_with("_FILE") || *setting == "KAFKA_URL").map(ToOwned::to_owned).collect()
    };
    let all: BTreeSet<_> = own(&compose).flat_map(|(_, service)| has(service)).collect();
    assert_eq!(has(&compose["services"]["operator"]), all);
    let (verify, projections) = (Help::of_all(&["log", "verify"]).unwrap(), Help::of("projections").unwrap());
    assert!(all.iter().all(|setting| verify.lists(setting) || projections.lists(setting)), "{all:?}");
    let (host, port) = compose["services"]["operator"]["environment"]["ADMIN_URL"].as_str().unwrap().rsplit_once(':').unwrap();
    assert!(projections.lists("ADMIN_URL") && host == "http://projector");
    assert_eq!(port, compose["services"]["projector"]["environment"]["ADMIN_PORT"].to_string());
    // A key store that was restored is erased again by whoever opens it first.
    for (name, service) in own(&compose).filter(|(_, service)| !service["environment"]["KEYS_URL_FILE"].is_null()) {
        let list = Path::new(service["environment"]["ERASURES_FILE"].as_str().unwrap()).parent().unwrap().to_str().unwrap();
        assert_eq!(texts(&service["volumes"]), [format!("erasures:{list}")], "{name}");
    }
}

#[test]
fn each_secret_that_is_made_is_used_and_each_that_is_used_is_made() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let mounted: BTreeSet<_> = texts(&service["secrets"]).into_iter().collect();
        let values = service["environment"].as_object().into_iter().flatten();
        let read: BTreeSet<_> = values.filter_map(|(_, value)| value.as_str()?.strip_prefix("/run/secrets/")).collect();
        assert!(read.is_subset(&mounted), "{name} reads {read:?}");
        assert!(name == "postgres" || read == mounted, "{name} has {mounted:?}");
    }
    let used: BTreeSet<_> = services(&compose).flat_map(|(_, service)| texts(&service["secrets"])).collect();
    assert_eq!(used, names(&compose["secrets"]));

    let folder = tempfile::tempdir().unwrap();
    let make = || {
        let made = Command::new(root().join("scripts/secrets")).arg(folder.path().join("secrets")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let files = fs::read_dir(folder.path().join("secrets")).unwrap().map(|file| file.unwrap().path());
        files
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
            .collect::<BTreeSet<_>>()
    };
    let made = make();
    assert_eq!(made.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>(), used);
    assert_eq!(make(), made, "what is there stays");
    assert_eq!(fs::metadata(folder.path().join("secrets")).unwrap().permissions().mode() & 0o777, 0o700);
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        assert_eq!(secret["file"], format!("./deploy/secrets/{name}"));
    }
    assert!(file(".gitignore").lines().any(|line| line == "/deploy/secrets"));
}

#[test]
fn every_service_is_watched_restarted_bounded_and_shut_in() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let limits = &service["deploy"]["resources"]["limits"];
        assert!(["cpus", "memory", "pids"].iter().all(|limit| !limits[limit].is_null()), "{name}: {limits}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        assert_eq!(service["read_only"], name != "kafka", "{name}");
        assert!(service["logging"]["options"]["max-size"].is_string(), "{name}");
        if name != "operator" {
            assert_eq!(service["restart"], "unless-stopped", "{name}");
            assert!(service["healthcheck"]["test"].is_array(), "{name}");
        }
        assert_eq!(texts(&service["networks"]).contains(&"front"), !service["ports"].is_null(), "{name}");
        assert!(texts(&service["ports"]).iter().all(|port| port.contains(":-127.0.0.1:")), "{name} is open to the world");
    }
    let of = |service: &str, key: &str| compose["services"][service][key].clone();
    assert!(
        ["command-api", "query-api"].iter().all(|name| of(name, "stop_grace_period") == "40s"),
        "longer than what is in flight may take"
    );
    assert_eq!(compose["networks"]["back"]["internal"], true);
}

#[test]
fn what_is_mounted_is_there_and_volumes_are_named() {
    let compose = compose();
    let mut used = BTreeSet::new();
    for (name, service) in services(&compose) {
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            match source.strip_prefix("./") {
                Some(path) => assert!(root().join(path).exists() && volume.ends_with(":ro"), "{name}: {volume}"),
                None => drop(used.insert(source)),
            }
        }
    }
    assert_eq!(used, names(&compose["volumes"]));
    let script = fs::metadata(root().join("deploy/postgres/stores.sh")).unwrap();
    assert_ne!(script.permissions().mode() & 0o111, 0, "Postgres's image runs it");
    // Kafka is the one that the tests use.
    let kafka = compose["services"]["kafka"]["image"].as_str().unwrap().strip_prefix("apache/kafka:").unwrap().to_owned();
    assert!(file("test-servers/kafka/pom.xml").contains(&format!("<version>{kafka}</version>")), "{kafka}");
}

#[test]
fn the_gateway_leads_to_the_services_and_nginx_takes_its_configuration() {
    let (compose, text) = (compose(), file("deploy/nginx.conf"));
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("server ")?.strip_suffix(" resolve;"));
    let of = |name: &str| format!("{name}:{}", compose["services"][name]["environment"]["HTTP_PORT"]);
    assert_eq!(servers.collect::<Vec<_>>(), [of("command-api"), of("query-api")]);
    let published = texts(&compose["services"]["gateway"]["ports"])[0].rsplit_once(':').unwrap().1;
    assert!(text.contains(&format!("listen {published};")), "{published}");

    let Ok(nginx) = nginx::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Neither Docker's resolver nor a new nginx is here: names become addresses, and nothing is asked again.
    let here = text.replace(" resolve;", ";").replace("command-api:", "127.0.0.1:").replace("query-api:", "127.0.0.1:");
    let here = here.replace("/tmp/", &format!("{}/", folder.path().display()));
    fs::write(folder.path().join("nginx.conf"), here).unwrap();
    fs::copy(root().join("deploy/gateway.conf"), folder.path().join("gateway.conf")).unwrap();
    let tried = Command::new(nginx).args(["-t", "-e", "stderr", "-c"]).arg(folder.path().join("nginx.conf")).output().unwrap();
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
}

#[test]
fn the_image_holds_the_program_and_is_nobodys() {
    let text = file("Dockerfile");
    let (build, image) = text.rsplit_once("\nFROM ").unwrap();
    let instruction =
        |name: &str| image.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_else(|| panic!("{name}"));
    assert!(build.contains("cargo build --locked --release --package tizza "));
    assert_eq!(instruction("ENTRYPOINT"), r#"["tizza"]"#);
    assert_eq!(instruction("STOPSIGNAL"), "SIGTERM");
    assert!(instruction("HEALTHCHECK").ends_with(r#"CMD ["tizza", "ready"]"#));
    assert!(instruction("USER").split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)));
    let help = Help::of("command-api").unwrap();
    assert!(instruction("ENV").split(' ').all(|setting| help.lists(setting.split('=').next().unwrap())));
    let exposed: Vec<_> = instruction("EXPOSE").split(' ').collect();
    let compose = compose();
    let ports = own(&compose).filter_map(|(_, service)| service["environment"]["HTTP_PORT"].as_u64()).map(|port| port.to_string());
    let mut ports = ports.chain(["8080".into()]);
    assert!(ports.all(|port| exposed.contains(&port.as_str())));

    // The compiler is not older than the code asks for, and the context holds every member.
    let workspace = file("Cargo.toml");
    let quoted = |start: &str| workspace.split_once(start).unwrap().1.split('"').next().unwrap().to_owned();
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    let compiler = build.split_once("FROM rust:").unwrap().1.split('-').next().unwrap().to_owned();
    assert!(minor(&compiler) >= minor(&quoted("rust-version = \"")), "{compiler}");
    let members = workspace.split_once("members = [").unwrap().1.split(']').next().unwrap().to_owned();
    let taken: Vec<_> = file(".dockerignore").lines().filter_map(|line| line.strip_prefix('!').map(ToOwned::to_owned)).collect();
    for member in members.split(',').map(|member| member.trim().trim_matches('"')) {
        assert!(taken.iter().any(|path| path == member), "{member} is not in the image's context");
    }
}
