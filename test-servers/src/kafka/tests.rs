//! Against real brokers; without Kafka only what is pure is tested.

use std::{
    env, fs,
    io::Write,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Kafka, binaries, wire};
use crate::{
    process, shared_broker,
    tests::{VICTIM, eventually, lives, what_a_victim_starts},
};

/// Runs one of Kafka's own tools against a broker; what it answers.
fn tool(broker: &Kafka, class: &str, arguments: &[&str], input: &str) -> String {
    let mut tool = Command::new(broker.java())
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(broker.libs().join("*"))
        .args([&format!("org.apache.kafka.tools.{class}"), "--bootstrap-server", &broker.bootstrap()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a Java");
    tool.stdin.take().expect("it was asked for").write_all(input.as_bytes()).expect("it reads");
    let output = tool.wait_with_output().expect("it is our child");
    assert!(output.status.success(), "{class}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn a_killed_broker_comes_back_on_its_port_with_its_data() {
    let Ok(mut broker) = Kafka::start() else { return };
    tool(&broker, "TopicCommand", &["--create", "--topic", "kept"], "");
    tool(&broker, "ConsoleProducer", &["--topic", "kept"], "margherita\n");
    let (port, pid) = (broker.port(), broker.pid());

    broker.signal("KILL");
    assert!(eventually(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()));
    broker.restart();

    assert_eq!(broker.port(), port);
    assert_ne!(broker.pid(), pid);
    let consumed = tool(&broker, "consumer.ConsoleConsumer", &["--topic", "kept", "--from-beginning", "--max-messages", "1"], "");
    assert_eq!(consumed, "margherita\n");
}

#[test]
fn brokers_side_by_side_are_strangers() {
    let (Ok(mut one), Ok(other)) = (Kafka::start(), Kafka::start()) else { return };
    assert_eq!(wire::brokers(other.port(), &one.cluster).expect("the other one is up"), 0);

    one.stop();

    assert!(wire::brokers(one.port(), &one.cluster).is_err());
    assert_eq!(wire::brokers(other.port(), &other.cluster).expect("the other one is up"), 1);
}

#[test]
fn nothing_is_left_of_a_dropped_broker_even_when_it_is_frozen() {
    let Ok(broker) = Kafka::start() else { return };
    let (pid, folder) = (broker.pid(), broker.folder.path.clone());
    assert!(lives(pid) && broker.data_dir().starts_with(&folder) && broker.data_dir().exists());

    broker.signal("STOP");
    drop(broker);

    assert!(!lives(pid));
    assert!(!folder.exists());
}

/// Runs this very test in a process of its own, which says what it has started and is then killed.
#[test]
fn nothing_is_left_when_our_process_is_killed() {
    if binaries::find().is_err() {
        return;
    }
    if env::var_os(VICTIM).is_some() {
        let broker = Kafka::start().expect("it has been found");
        println!("\nSTARTED {} {}", broker.pid(), broker.folder.path.display());
        loop {
            std::thread::park();
        }
    }
    let started = what_a_victim_starts("kafka::tests::nothing_is_left_when_our_process_is_killed");
    let (pid, folder) = started.split_once(' ').expect("a process and a folder");
    let (pid, folder) = (pid.parse().expect("a process"), Path::new(folder));

    assert!(eventually(|| !lives(pid)));
    assert!(eventually(|| !folder.exists()));
}

#[test]
fn the_shared_broker_is_one() {
    let (Ok(one), Ok(other)) = (shared_broker(), shared_broker()) else { return };
    assert_eq!(one, other);
}

/// Runs this very test in a process of its own, with a folder that has no jars.
#[test]
fn who_has_no_kafka_is_told_once_how_to_get_it() {
    if env::var_os(VICTIM).is_some() {
        assert!(Kafka::start().is_err() && shared_broker().is_err() && Kafka::start().is_err());
        return;
    }
    let output = Command::new(env::current_exe().expect("we run"))
        .args(["--exact", "--nocapture", "kafka::tests::who_has_no_kafka_is_told_once_how_to_get_it"])
        .envs([(VICTIM, "1"), ("KAFKA_LIBS", "/nowhere")])
        .env_remove("KAFKA_BOOTSTRAP")
        .output()
        .expect("this program runs once more");

    assert!(output.status.success());
    let told = String::from_utf8(output.stderr).expect("it is text");
    let skipped: Vec<&str> = told.lines().filter(|line| line.starts_with("SKIPPED")).collect();
    let [line] = skipped[..] else { panic!("not one line: {told}") };
    assert!(line.contains("apt-get install openjdk-17-jre-headless maven"), "{line}");
}

#[test]
fn the_first_java_that_is_new_enough_is_found() {
    let folder = env::temp_dir().join(process::unique("search"));
    // Written by another process: a program that this one has open cannot be run, nor while a child of ours is about to start.
    let with_java = |at: &str, version: &str| -> PathBuf {
        let home = folder.join(at);
        let settings = format!("    java.home = {}\n    java.specification.version = {version}\n", home.display());
        let script = format!("#!/bin/sh\ncat >&2 <<'END'\n{settings}END\n");
        let write = r#"mkdir -p "$1/bin" && printf %s "$2" >"$1/bin/java" && chmod +x "$1/bin/java""#;
        process::run(Command::new("/bin/sh").args(["-c", write, "sh"]).arg(&home).arg(script)).expect("a new file");
        home
    };
    let [ancient, old, fit, newer] = [("8", "1.8"), ("11", "11"), ("17", "17"), ("25", "25")].map(|(at, version)| with_java(at, version));
    let path = |homes: &[&PathBuf]| env::join_paths(homes.iter().map(|home| home.join("bin"))).expect("plain names");

    assert_eq!(binaries::search(Some(newer.as_os_str()), &path(&[&fit])), Some(newer.clone()));
    assert_eq!(binaries::search(Some(old.as_os_str()), &path(&[&ancient, &fit, &newer])), Some(fit));
    assert_eq!(binaries::search(None, &path(&[&ancient, &old, &folder])), None);
    fs::remove_dir_all(&folder).expect("our own folder");
}
