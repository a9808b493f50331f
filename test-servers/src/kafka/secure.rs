//! Listeners for clients that come by TLS, and with a password. The one in the open stays.

use std::{fs, io, path::Path};

use super::{Kafka, binaries};
use crate::{
    Missing,
    certificates::{Authority, Pair},
    launch, process,
};

/// What clients are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Secured<'a> {
    /// Who vouches for clients that come without a password: they must show a certificate.
    pub authority: &'a Authority,
    /// What the broker shows.
    pub pair: &'a Pair,
    /// Names and passwords, for PLAIN and for SCRAM.
    pub users: &'a [(&'a str, &'a str)],
}

#[derive(Debug)]
pub(super) struct Listeners {
    tls_port: u16,
    sasl_port: u16,
    users: Vec<(String, String)>,
}

/// The broker's key and certificate, in its folder.
const KEY_STORE: &str = "broker.pem";
const TRUST_STORE: &str = "clients.pem";

impl Kafka {
    /// Makes a cluster of one broker that listens in three ways: in the open, by TLS with a certificate, and by TLS with a
    /// password.
    ///
    /// # Errors
    /// There is no Kafka, or no Java.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_secured(secured: Secured<'_>) -> Result<Self, &'static Missing> {
        let binaries = binaries::find()?;
        let made = || -> io::Result<Self> {
            let mut broker = Self::new(binaries)?;
            let users = secured.users.iter().map(|(user, password)| ((*user).to_owned(), (*password).to_owned())).collect();
            broker.secure = Some(Listeners { tls_port: launch::free_port()?, sasl_port: launch::free_port()?, users });
            broker.shows(secured.pair);
            fs::write(broker.folder.path.join(TRUST_STORE), secured.authority.pem())?;
            broker.started()
        };
        Ok(made().unwrap_or_else(|e| panic!("Kafka of {} does not start: {e}", binaries.libs.display())))
    }

    /// Shows another certificate from its next start on.
    ///
    /// # Panics
    /// Its folder is gone.
    pub fn shows(&self, pair: &Pair) {
        let store = format!("{}{}", pair.key, pair.certificate);
        fs::write(self.folder.path.join(KEY_STORE), store).expect("the folder is there");
    }

    /// Gives a user another password, for SCRAM-SHA-512.
    ///
    /// # Panics
    /// The broker does not do it.
    pub fn sets_password(&self, user: &str, password: &str) {
        let scram = format!("SCRAM-SHA-512=[password={password}]");
        let mut tool = std::process::Command::new(self.java());
        tool.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-XX:TieredStopAtLevel=1", "-cp"]).arg(self.libs().join("*"));
        tool.args(["kafka.admin.ConfigCommand", "--bootstrap-server", &self.bootstrap(), "--alter", "--add-config", &scram]);
        process::run(tool.args(["--entity-type", "users", "--entity-name", user])).expect("the broker does it");
    }

    /// Where clients come by TLS with a certificate of their own, on 127.0.0.1; with a password they come by [`sasl_port`](Self::sasl_port).
    ///
    /// # Panics
    /// It was not asked for.
    pub fn tls_port(&self) -> u16 {
        self.secure.as_ref().expect("it was asked for").tls_port
    }

    /// Where clients come by TLS with a password, on 127.0.0.1.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn sasl_port(&self) -> u16 {
        self.secure.as_ref().expect("it was asked for").sasl_port
    }
}

impl Listeners {
    /// The listeners, and what else they need.
    pub fn settings(&self, folder: &Path) -> (String, String) {
        let listeners = format!(",SSL://127.0.0.1:{},SASL_SSL://127.0.0.1:{}", self.tls_port, self.sasl_port);
        let module = "org.apache.kafka.common.security";
        let users: String = self.users.iter().map(|(user, password)| format!(" user_{user}=\"{password}\"")).collect();
        let settings = format!(
            "\nssl.keystore.type=PEM\nssl.keystore.location={}\nssl.truststore.type=PEM\nssl.truststore.location={}
listener.name.ssl.ssl.client.auth=required\nsasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required{users};
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;\n",
            folder.join(KEY_STORE).display(),
            folder.join(TRUST_STORE).display()
        );
        (listeners, settings)
    }

    /// Of each user, as the storage tool wants it.
    pub fn scram(&self) -> Vec<String> {
        let scram = |(user, password): &(String, String)| {
            ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(|mechanism| format!("{mechanism}=[name={user},password={password}]"))
        };
        self.users.iter().flat_map(scram).collect()
    }
}
