//! A broker that is spoken to by TLS, and does not let everybody in; certificates that are not good any more.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use test_servers::{
    Kafka, Secured,
    certificates::{Authority, expired, of},
};

use crate::{
    client::Answer,
    home::Home,
    server::{PASSWORD, Server, eventually},
    starting::refused,
    topic::{through, verified},
};

const HOST: &str = "127.0.0.1";
const SECRET: &str = "prezzemolo";

/// Certificates and a password in files beside the data.
struct Files(PathBuf);

impl Files {
    fn new(home: &Home, authority: &Authority) -> Self {
        let folder = home.data_dir().with_file_name("kafka");
        fs::create_dir(&folder).unwrap();
        authority.certifies(of("tizza")).write(&folder, "own");
        for (name, text) in [("ca", authority.pem()), ("other-ca", Authority::default().pem()), ("password", format!("{SECRET}\n"))] {
            fs::write(folder.join(name), text).unwrap();
        }
        Self(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// By TLS and with a password.
fn secured(home: &Home, broker: &Kafka, files: &Files) -> Home {
    through(home, &format!("{HOST}:{}", broker.sasl_port()))
        .with("KAFKA_TLS", Path::new("true"))
        .with("KAFKA_CA_FILE", &files.at("ca"))
        .with("KAFKA_SASL", Path::new("scram-sha-512"))
        .with("KAFKA_USER", Path::new("ada"))
        .with("KAFKA_PASSWORD_FILE", &files.at("password"))
        .with("ACK", Path::new("kafka"))
}

async fn signs_up(server: &Server, name: &str) -> Answer {
    server.client().post("/api/v1/users", json!({ "username": name, "password": PASSWORD })).await
}

/// What `/readyz` says of the broker.
async fn is_degraded(server: &Server, why: &str) {
    eventually("operators are told", async || {
        let ready = server.client().get(&format!("{}/readyz", server.admin_url)).await.expect(StatusCode::OK).body;
        let told = ready["kafka"]["refused"].as_str().is_some_and(|told| told.contains(why));
        (ready["status"] == "degraded" && told).then_some(())
    })
    .await;
}

async fn is_ready(server: &Server) {
    eventually("all has arrived", async || {
        let ready = server.client().get(&format!("{}/readyz", server.admin_url)).await.expect(StatusCode::OK).body;
        (ready["status"] == "ready" && ready["kafka"]["backlog_events"] == 0).then_some(())
    })
    .await;
}

/// From a broker that shows an old certificate when we start, over one that knows another password, to one that lets us in; and back.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_let_us_in_is_named_with_its_reason_and_when_it_does_nothing_is_missing() {
    let (home, authority) = (Home::in_files(), Authority::default());
    let (good, old) = (authority.certifies(of(HOST)), authority.certifies(expired(HOST)));
    let secrets = [("ada", SECRET), ("bob", SECRET)];
    let Ok(mut broker) = Kafka::start_secured(Secured { authority: &authority, pair: &old, users: &secrets }) else { return };
    let files = Files::new(&home, &authority);
    let home = secured(&home, &broker, &files);

    let mut server = Server::start_in(&home);
    let line = server.tells("why", "certificate has expired; look at it, and at KAFKA_CA_FILE");
    assert_eq!(line["broker"], format!("{HOST}:{}", broker.sasl_port()));
    signs_up(&server, "luigi").await.expect(StatusCode::ACCEPTED);
    is_degraded(&server, "certificate has expired").await;

    broker.sets_password("ada", "basilico");
    broker.shows(&good);
    broker.restart();
    server.tells("why", "look at KAFKA_SASL, KAFKA_USER and KAFKA_PASSWORD");
    signs_up(&server, "ada").await.expect(StatusCode::ACCEPTED);
    is_degraded(&server, "KAFKA_PASSWORD").await;

    broker.sets_password("ada", SECRET);
    is_ready(&server).await;
    signs_up(&server, "bob").await.expect(StatusCode::CREATED);
    let told = |server: &Server| server.logged().iter().filter(|line| line["message"] == REFUSED).count();
    assert_eq!(told(&server), 2, "each once: {:?}", server.logged());

    broker.shows(&old);
    broker.restart();
    signs_up(&server, "eva").await.expect(StatusCode::ACCEPTED);
    is_degraded(&server, "certificate has expired").await;
    broker.shows(&good);
    broker.restart();
    is_ready(&server).await;
    signs_up(&server, "ida").await.expect(StatusCode::CREATED);
    assert_eq!(told(&server), 3, "{:?}", server.logged());
    assert!(!server.logged().iter().any(|line| line.to_string().contains(SECRET)));
    server.signal("TERM");
    assert!(server.ended().success());

    is_whole(&verified(&home));
    let plain = home.with("KAFKA_SASL", Path::new("plain")).with("KAFKA_USER", Path::new("bob"));
    is_whole(&verified(&plain));
    who_is_refused_is_told_why(&plain, &broker, &files);
}

const REFUSED: &str = "Kafka does not let us in; it is tried again";

fn is_whole(told: &Value) {
    assert_eq!((&told["topic"]["behind"], &told["topic"]["foreign"], &told["events"]), (&json!(0), &json!(0), &json!(5)), "{told}");
}

fn who_is_refused_is_told_why(plain: &Home, broker: &Kafka, files: &Files) {
    let verify = |settings: &[(&str, &str)]| {
        let mut command = plain.tizza();
        command.args(["log", "verify", "--topic"]).envs(settings.iter().copied());
        command
    };
    let is_told = |command: Command, why: &str| {
        let told = refused(command);
        assert!(told.contains(why), "{told}");
    };
    let (open, tls) = (broker.bootstrap(), format!("{HOST}:{}", broker.tls_port()));
    let other_ca = files.at("other-ca").display().to_string();
    let own = ["own.crt", "own.key"].map(|name| files.at(name).display().to_string());
    is_told(verify(&[("KAFKA_CA_FILE", &other_ca)]), "its certificate is not accepted: ");
    is_told(verify(&[("KAFKA_USER", "eva")]), "look at KAFKA_SASL, KAFKA_USER and KAFKA_PASSWORD");
    is_told(verify(&[("KAFKA_URL", &open)]), "look at KAFKA_TLS");

    // Who shows a certificate needs no password.
    let mut by_certificate = verify(&[("KAFKA_URL", &tls), ("KAFKA_CERT_FILE", &own[0]), ("KAFKA_KEY_FILE", &own[1])]);
    for setting in ["KAFKA_SASL", "KAFKA_USER", "KAFKA_PASSWORD_FILE"] {
        by_certificate.env_remove(setting);
    }
    assert!(by_certificate.output().unwrap().status.success());
    by_certificate.env_remove("KAFKA_CERT_FILE").env_remove("KAFKA_KEY_FILE");
    is_told(by_certificate, "look at KAFKA_CERT_FILE and KAFKA_KEY_FILE");
}
