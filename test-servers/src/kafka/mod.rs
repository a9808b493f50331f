//! A throw-away broker of Kafka on this machine.

pub mod binaries;
pub mod cluster;
pub mod secure;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    Missing, launch,
    process::{self, Folder, Guarded, Habits},
};
use binaries::Binaries;

/// QUIT would only make Java tell what its threads do. As ourselves: what lies in `target` may be closed to others.
const HABITS: Habits = Habits { end: "KILL", refuses_root: false };

/// Small, and quick to start rather than quick in the long run.
const JAVA: [&str; 6] = [
    "-Xmx256m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];
const PROPERTIES: &str = include_str!("../../kafka/server.properties");

/// A broker that is a cluster by itself, on free ports of 127.0.0.1. It makes no topic unasked. When it is dropped, or our process
/// ends however it does, the broker ends at once and its folder is removed.
#[derive(Debug)]
pub struct Kafka {
    binaries: &'static Binaries,
    cluster: String,
    node: u16,
    /// Of the whole cluster; empty where it is this broker alone.
    voters: String,
    /// How many brokers keep what Kafka itself remembers.
    copies: u16,
    secure: Option<secure::Listeners>,
    port: u16,
    controller_port: u16,
    pid: u32,
    // Dropped in this order.
    server: Option<Guarded>,
    folder: Folder,
}

impl Kafka {
    /// Makes a cluster of one broker and starts it: about three seconds.
    ///
    /// # Errors
    /// There is no Kafka, or no Java.
    ///
    /// # Panics
    /// It does not start.
    pub fn start() -> Result<Self, &'static Missing> {
        let binaries = binaries::find()?;
        let made = Self::new(binaries).and_then(Self::started);
        Ok(made.unwrap_or_else(|e| panic!("Kafka of {} does not start: {e}", binaries.libs.display())))
    }

    fn new(binaries: &'static Binaries) -> io::Result<Self> {
        let folder = Folder::new(env::temp_dir().canonicalize()?.join(process::unique("tizza_kafka")))?;
        // 16 bytes in Base64, as Kafka wants it.
        let cluster = format!("{:016x}AAAAAA", process::random());
        let (port, controller_port) = free_ports()?;
        let (voters, secure) = (String::new(), None);
        Ok(Self { binaries, cluster, node: 1, voters, copies: 1, secure, port, controller_port, pid: 0, server: None, folder })
    }

    fn started(mut self) -> io::Result<Self> {
        self.configure((self.port, self.controller_port))?;
        self.format()?;
        self.launch_within_limit(free_ports)?;
        Ok(self)
    }

    fn configure(&mut self, ports: (u16, u16)) -> io::Result<()> {
        (self.port, self.controller_port) = ports;
        let voters = format!("1@127.0.0.1:{}", self.controller_port);
        let voters = if self.voters.is_empty() { &voters } else { &self.voters };
        let (listeners, settings) = self.secure.as_ref().map(|secure| secure.settings(&self.folder.path)).unwrap_or_default();
        let properties = format!("{PROPERTIES}{settings}")
            .replace("@NODE@", &self.node.to_string())
            .replace("@VOTERS@", voters)
            .replace("@COPIES@", &self.copies.to_string())
            .replace("@SECURE_LISTENERS@", &listeners)
            .replace("@PORT@", &self.port.to_string())
            .replace("@CONTROLLER_PORT@", &self.controller_port.to_string())
            .replace("@DATA@", &self.folder.path.join("data").display().to_string());
        fs::write(self.properties(), properties)
    }

    fn properties(&self) -> PathBuf {
        self.folder.path.join("server.properties")
    }

    /// Writes the cluster's id and its first records.
    fn format(&mut self) -> io::Result<()> {
        let properties = self.properties().display().to_string();
        let scram: Vec<_> = self.secure.iter().flat_map(secure::Listeners::scram).collect();
        let users = scram.iter().flat_map(|user| ["--add-scram", user]);
        let arguments: Vec<_> = ["format", "-t", &self.cluster, "-c", &properties].into_iter().chain(users).collect();
        let status = self.run("kafka.tools.StorageTool", &arguments)?.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("format: {status}: {}", launch::log(&self.folder)))) }
    }

    /// Nothing is written outside of the folder: no figures for `jps`, no unpacked libraries.
    fn run(&self, class: &str, arguments: &[&str]) -> io::Result<Guarded> {
        let temporary = format!("-Djava.io.tmpdir={}", self.folder.path.display());
        let (java, jars) = (self.java().display().to_string(), format!("{}/*", self.libs().display()));
        let program = [&[java.as_str()], &JAVA[..], &["-XX:-UsePerfData", &temporary, "-cp", &jars, class], arguments].concat();
        Guarded::start(&program.into_iter().map(str::to_owned).collect::<Vec<_>>(), &self.folder, HABITS)
    }

    /// Where clients find it: `127.0.0.1:PORT`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where the broker listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The broker's process; the last one's while it is down.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The cluster's data.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path.join("data")
    }

    /// The folder of the jars. Kafka's own tools are there: [`java`](Self::java) runs them with `-cp LIBS/* CLASS`, for example
    /// `org.apache.kafka.tools.consumer.ConsoleConsumer`.
    pub fn libs(&self) -> &Path {
        &self.binaries.libs
    }

    /// The Java that runs the broker.
    pub fn java(&self) -> PathBuf {
        self.binaries.java()
    }

    /// Sends the broker a signal: `KILL`, `STOP`, `CONT`, `TERM`, ….
    ///
    /// # Panics
    /// The broker is down.
    pub fn signal(&self, name: &str) {
        let server = self.server.as_ref().expect("the broker is down");
        server.signal(name).unwrap_or_else(|e| panic!("{name} does not reach the broker: {e}"));
    }

    /// Ends the broker at once, as a crash would, and waits until it has. Its data stays.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts the broker again, on the same ports, with the same data; ends it first if it is up. Returns when it answers: about
    /// five seconds, since the cluster first lets the session of the broker that was killed run out.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        self.stop();
        self.launch_again().unwrap_or_else(|e| panic!("Kafka does not start again on port {}: {e}", self.port));
    }

    fn launch_again(&mut self) -> io::Result<()> {
        let ports = (self.port, self.controller_port);
        self.launch_within_limit(|| Ok(ports))
    }

    fn launch_within_limit(&mut self, ports: impl Fn() -> io::Result<(u16, u16)>) -> io::Result<()> {
        launch::within_limit(|deadline| {
            self.configure(ports()?)?;
            self.launch(deadline)
        })
    }

    /// An open port alone does not tell: it may be another's, and it is open before the cluster counts the broker as alive.
    fn launch(&mut self, deadline: Instant) -> io::Result<()> {
        let server = self.run("kafka.Kafka", &[&self.properties().display().to_string()])?;
        self.pid = server.pid;
        let answers = || wire::brokers(self.port, &self.cluster).is_ok_and(|alive| alive > 0);
        self.server = Some(launch::answering(server, &self.folder, deadline, answers)?);
        Ok(())
    }
}

/// One for clients, another one for the controller.
fn free_ports() -> io::Result<(u16, u16)> {
    let port = launch::free_port()?;
    loop {
        let other = launch::free_port()?;
        if other != port {
            return Ok((port, other));
        }
    }
}
