//! A running Tizza: all roles in one process.

use std::process::{Command, ExitStatus};

use serde_json::Value;

pub use crate::client::{Answer, Client, PASSWORD, eventually};
use crate::{client::Address, home::Home, process::Process};

/// A running Tizza; killed when it is dropped.
pub struct Server {
    pub url: String,
    pub admin_url: String,
    pub home: Home,
    process: Process,
}

impl Server {
    /// A new one, with its stores in files of its own.
    pub fn start() -> Self {
        Self::start_in(&Home::in_files())
    }

    /// One that finds what is in a home.
    pub fn start_in(home: &Home) -> Self {
        Self::spawn(home.tizza(), home)
    }

    pub fn spawn(command: Command, home: &Home) -> Self {
        let mut process = Process::spawn(command);
        let listens = process.says("tizza listens");
        let of = |key: &str| format!("http://{}", listens[key].as_str().unwrap());
        Self { url: of("address"), admin_url: of("admin"), home: home.clone(), process }
    }

    /// A client without a session.
    pub fn client(&self) -> Client {
        Client::new(Address::one(&self.url))
    }

    /// A client with an account, logged in.
    pub async fn user(&self, name: &str) -> Client {
        self.client().signs_up(name).await
    }

    /// The superuser of this environment, logged in.
    pub async fn superuser(&self, name: &str) -> Client {
        self.home.creates_superuser(name);
        self.client().logs_in(name).await
    }

    /// Everything that was logged so far.
    pub fn logged(&self) -> Vec<Value> {
        self.process.logged()
    }

    /// The first log line in which a field has this text, as soon as it is there.
    pub fn tells(&mut self, field: &str, text: &str) -> Value {
        self.process.tells(field, text)
    }

    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// How it ended, after a signal.
    pub fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }
}
