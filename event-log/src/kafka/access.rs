//! How brokers are spoken to: in the open or by TLS, and as whom.

use std::{fmt, path::PathBuf};

use rdkafka::ClientConfig;

/// How brokers are spoken to. The default: in the open, as nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// By TLS.
    pub tls: Option<Tls>,
    /// As whom.
    pub login: Option<Login>,
}

/// By TLS; all files are PEM, and read whenever a client is made. A broker's certificate must name the host that it was asked under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Who vouches for brokers; else the authorities that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// A certificate of our own, and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// As whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// How that is shown.
    pub mechanism: Mechanism,
    /// The name.
    pub user: String,
    /// And its password.
    pub password: Password,
}

/// How it is shown that a password is known (SASL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// It is told (RFC 4616).
    Plain,
    /// By SCRAM (RFC 7677).
    ScramSha256,
    /// By SCRAM with a longer digest.
    ScramSha512,
}

/// Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Mechanism {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Tls {
    /// Where those are who vouch for brokers, if they are anywhere.
    pub(super) fn authorities(&self) -> Option<PathBuf> {
        self.ca_file.clone().or_else(|| openssl_probe::probe().cert_file)
    }
}

impl Access {
    pub(super) fn set(&self, config: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.login) {
            (None, None) => "plaintext",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), None) => "ssl",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            config.set("ssl.endpoint.identification.algorithm", "https");
            let authorities = tls.authorities().map_or_else(|| "probe".into(), |path| path.display().to_string());
            config.set("ssl.ca.location", authorities);
            if let Some((certificate, key)) = &tls.own {
                config.set("ssl.certificate.location", certificate.display().to_string());
                config.set("ssl.key.location", key.display().to_string());
            }
        }
        if let Some(Login { mechanism, user, password }) = &self.login {
            config.set("sasl.mechanism", mechanism.name()).set("sasl.username", user).set("sasl.password", &password.0);
        }
    }
}
