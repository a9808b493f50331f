use std::fs;

use clap::Parser;
use tempfile::TempDir;
use test_servers::certificates::{Authority, of};

use super::*;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    access: AccessArgs,
}

/// Certificates in files, and what is none.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::default());
        authority.certifies(of("tizza")).write(folder.path(), "own");
        authority.certifies(of("other")).write(folder.path(), "other");
        fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        fs::write(folder.path().join("password"), "quattro formaggi\n").unwrap();
        Self { folder }
    }

    /// `@` stands for the folder.
    fn access(&self, arguments: &str, password: Option<&str>) -> Result<Access, ConfigError> {
        let arguments = arguments.replace('@', &format!("{}/", self.folder.path().display()));
        let program = Program::try_parse_from(["program"].into_iter().chain(arguments.split_whitespace())).unwrap();
        program.access.with_password(password.map(Into::into))
    }

    fn refused(&self, arguments: &str, password: Option<&str>) -> String {
        self.access(arguments, password).unwrap_err().to_string()
    }
}

#[test]
fn brokers_are_spoken_to_in_the_open_or_by_tls_as_nobody_or_as_somebody() {
    let files = Files::new();
    assert_eq!(files.access("", None).unwrap(), Access::default());
    let access = files.access("--kafka-tls --kafka-ca-file @ca.crt --kafka-cert-file @own.crt --kafka-key-file @own.key", None).unwrap();
    assert!(access.tls.unwrap().own.is_some());
    let login = files.access("--kafka-sasl scram-sha-512 --kafka-user ada --kafka-password-file @password", None).unwrap().login.unwrap();
    assert_eq!(login.password, "quattro formaggi".to_owned().into());
    assert!(!format!("{login:?}").contains("quattro"));
    assert!(files.access("--kafka-tls true --kafka-sasl plain --kafka-user ada", Some("secret")).is_ok());
}

#[test]
fn what_lacks_something_or_cannot_be_read_is_refused_by_its_setting() {
    let files = Files::new();
    for (arguments, told) in [
        ("--kafka-ca-file @ca.crt", "KAFKA_CA_FILE: it is for KAFKA_TLS=true"),
        ("--kafka-tls --kafka-cert-file @own.crt", "KAFKA_CERT_FILE: its key is missing: KAFKA_KEY_FILE"),
        ("--kafka-tls --kafka-key-file @own.key", "KAFKA_KEY_FILE: its certificate is missing: KAFKA_CERT_FILE"),
        ("--kafka-tls --kafka-cert-file @own.crt --kafka-key-file @other.key", "KAFKA_KEY_FILE: it is not the key of the certificate"),
        ("--kafka-user ada", "KAFKA_USER: KAFKA_SASL is missing"),
        ("--kafka-password-file @password", "KAFKA_PASSWORD_FILE: KAFKA_SASL is missing"),
        ("--kafka-sasl scram-sha-256", "KAFKA_USER: KAFKA_SASL needs a user"),
        ("--kafka-sasl scram-sha-256 --kafka-user ada", "KAFKA_PASSWORD: it is missing"),
        ("--kafka-sasl plain --kafka-user ada --kafka-password-file @password", "KAFKA_SASL: plain shows the password"),
    ] {
        let refused = files.refused(arguments, None);
        assert!(refused.starts_with(told), "{arguments}: {refused}");
    }
    let nowhere = files.refused("--kafka-tls --kafka-ca-file @nowhere", None);
    assert!(nowhere.starts_with("KAFKA_CA_FILE: ") && nowhere.contains("nowhere cannot be read"), "{nowhere}");
    let no_pem = files.refused("--kafka-tls --kafka-ca-file @password", None);
    assert!(no_pem.starts_with("KAFKA_CA_FILE: ") && no_pem.contains("is no PEM file with certificates"), "{no_pem}");
    let no_key = files.refused("--kafka-tls --kafka-cert-file @own.crt --kafka-key-file @ca.crt", None);
    assert!(no_key.starts_with("KAFKA_KEY_FILE: ") && no_key.contains("no passphrase"), "{no_key}");
    let both = files.refused("--kafka-sasl scram-sha-256 --kafka-user ada --kafka-password-file @password", Some("secret"));
    assert_eq!(both, "KAFKA_PASSWORD_FILE: KAFKA_PASSWORD is set as well: only one of them");
    assert!(files.refused("", Some("secret")).starts_with("KAFKA_PASSWORD: KAFKA_SASL is missing"));
}
