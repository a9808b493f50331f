//! How brokers are spoken to. What cannot work is refused at the start, before any broker is asked.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use event_log::kafka::access::{self, Access, Login, Tls};
use openssl::{pkey::PKey, x509::X509};

use crate::config::{ConfigError, text_in};

/// How brokers are spoken to.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kafka")]
pub struct AccessArgs {
    /// Speak TLS to brokers; their certificates must name the hosts of KAFKA_URL and of their advertised listeners
    #[arg(long, env, num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    kafka_tls: bool,
    /// PEM file of the authorities that vouch for brokers [default: those that the system trusts]
    #[arg(long, env, value_name = "PATH")]
    kafka_ca_file: Option<PathBuf>,
    /// PEM file of a certificate of our own, for brokers that ask for one
    #[arg(long, env, value_name = "PATH")]
    kafka_cert_file: Option<PathBuf>,
    /// PEM file of its key, without a passphrase
    #[arg(long, env, value_name = "PATH")]
    kafka_key_file: Option<PathBuf>,
    /// How the password is shown to brokers
    #[arg(long, env, value_enum)]
    kafka_sasl: Option<Sasl>,
    /// Who we are for brokers; the password is in the environment's KAFKA_PASSWORD, or in KAFKA_PASSWORD_FILE
    #[arg(long, env)]
    kafka_user: Option<String>,
    /// File of the password; a line break at its end does not count
    #[arg(long, env, value_name = "PATH")]
    kafka_password_file: Option<PathBuf>,
}

/// How a password is shown to brokers.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// As it is; only over TLS
    Plain,
    /// By SCRAM-SHA-256
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// By SCRAM-SHA-512
    #[value(name = "scram-sha-512")]
    ScramSha512,
}

impl AccessArgs {
    /// How brokers are spoken to.
    ///
    /// # Errors
    /// A setting cannot be used, or lacks another one.
    pub fn access(&self) -> Result<Access, ConfigError> {
        self.with_password(std::env::var("KAFKA_PASSWORD").ok())
    }

    fn with_password(&self, password: Option<String>) -> Result<Access, ConfigError> {
        Ok(Access { tls: self.tls()?, login: self.login(password)? })
    }

    fn tls(&self) -> Result<Option<Tls>, ConfigError> {
        let files =
            [("KAFKA_CA_FILE", &self.kafka_ca_file), ("KAFKA_CERT_FILE", &self.kafka_cert_file), ("KAFKA_KEY_FILE", &self.kafka_key_file)];
        if !self.kafka_tls {
            let given = files.into_iter().find(|(_, file)| file.is_some());
            return given.map_or(Ok(None), |(setting, _)| Err(ConfigError::new(setting, "it is for KAFKA_TLS=true")));
        }
        if let Some(path) = &self.kafka_ca_file {
            certificate("KAFKA_CA_FILE", path)?;
        }
        let own = match (&self.kafka_cert_file, &self.kafka_key_file) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(pair(certificate, key)?),
            (Some(_), None) => return Err(ConfigError::new("KAFKA_CERT_FILE", "its key is missing: KAFKA_KEY_FILE")),
            (None, Some(_)) => return Err(ConfigError::new("KAFKA_KEY_FILE", "its certificate is missing: KAFKA_CERT_FILE")),
        };
        Ok(Some(Tls { ca_file: self.kafka_ca_file.clone(), own }))
    }

    fn login(&self, password: Option<String>) -> Result<Option<Login>, ConfigError> {
        let Some(sasl) = self.kafka_sasl else {
            let given = [
                ("KAFKA_USER", self.kafka_user.is_some()),
                ("KAFKA_PASSWORD", password.is_some()),
                ("KAFKA_PASSWORD_FILE", self.kafka_password_file.is_some()),
            ];
            let given = given.into_iter().find(|(_, given)| *given);
            return given.map_or(Ok(None), |(setting, _)| {
                Err(ConfigError::new(setting, "KAFKA_SASL is missing: plain, scram-sha-256 or scram-sha-512"))
            });
        };
        if sasl == Sasl::Plain && !self.kafka_tls {
            return Err(ConfigError::new("KAFKA_SASL", "plain shows the password to the whole network: only with KAFKA_TLS=true"));
        }
        let user = self.kafka_user.clone().filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| ConfigError::new("KAFKA_USER", "KAFKA_SASL needs a user"))?;
        let password = match (password, &self.kafka_password_file) {
            (Some(_), Some(_)) => return Err(ConfigError::new("KAFKA_PASSWORD_FILE", "KAFKA_PASSWORD is set as well: only one of them")),
            (Some(password), None) => password,
            (None, Some(path)) => text_in("KAFKA_PASSWORD_FILE", path)?,
            (None, None) => String::new(),
        };
        if password.is_empty() {
            return Err(ConfigError::new("KAFKA_PASSWORD", "it is missing: set it, or KAFKA_PASSWORD_FILE"));
        }
        Ok(Some(Login { mechanism: sasl.into(), user, password: password.into() }))
    }
}

impl From<Sasl> for access::Mechanism {
    fn from(sasl: Sasl) -> Self {
        match sasl {
            Sasl::Plain => Self::Plain,
            Sasl::ScramSha256 => Self::ScramSha256,
            Sasl::ScramSha512 => Self::ScramSha512,
        }
    }
}

/// The first certificate of a file.
fn certificate(setting: &'static str, path: &Path) -> Result<X509, ConfigError> {
    let pem = text_in(setting, path)?;
    let found = X509::stack_from_pem(pem.as_bytes()).ok().and_then(|found| found.into_iter().next());
    found.ok_or_else(|| ConfigError::new(setting, format!("{} is no PEM file with certificates", path.display())))
}

fn pair(cert_file: &Path, key_file: &Path) -> Result<(PathBuf, PathBuf), ConfigError> {
    let certificate = certificate("KAFKA_CERT_FILE", cert_file)?;
    let pem = text_in("KAFKA_KEY_FILE", key_file)?;
    // Nobody is asked for a passphrase.
    let key = PKey::private_key_from_pem_callback(pem.as_bytes(), |_| Ok(0)).map_err(|_| {
        ConfigError::new("KAFKA_KEY_FILE", format!("{} is no PEM file with a key that has no passphrase", key_file.display()))
    })?;
    if !certificate.public_key().is_ok_and(|public| key.public_eq(&public)) {
        return Err(ConfigError::new("KAFKA_KEY_FILE", "it is not the key of the certificate in KAFKA_CERT_FILE"));
    }
    Ok((cert_file.into(), key_file.into()))
}

#[cfg(test)]
mod tests;
