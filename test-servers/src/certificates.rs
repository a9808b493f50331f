//! Certificates that an authority of our own makes for a test.

use std::{fs, path::Path};

use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{
        X509, X509NameBuilder, X509Ref,
        extension::{BasicConstraints, SubjectAlternativeName},
    },
};

use crate::process;

/// An authority that nobody knows who is not told of it.
#[derive(Debug)]
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// What one is like: for which host, and from when to when, in seconds from now.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// A name, or an IP address.
    pub host: &'a str,
    /// From when to when it is valid, in seconds from now.
    pub valid: (i64, i64),
}

/// For a host, for an hour.
pub const fn of(host: &str) -> Wanted<'_> {
    Wanted { host, valid: (-60, 3_600) }
}

/// One that was valid until a minute ago.
pub const fn expired(host: &str) -> Wanted<'_> {
    Wanted { host, valid: (-3_600, -60) }
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key (PKCS #8).
    pub key: String,
}

impl Default for Authority {
    /// A new one.
    fn default() -> Self {
        let key = new_key().expect("OpenSSL makes a key");
        // Two of the same name would be taken for one.
        let certificate = certificate(&key, None, Wanted { host: &process::unique("authority"), valid: (-3_700, 86_400) })
            .expect("OpenSSL makes a certificate");
        Self { certificate, key }
    }
}

impl Authority {
    /// Its certificate, in PEM.
    pub fn pem(&self) -> String {
        text(self.certificate.to_pem())
    }

    /// Makes a certificate.
    pub fn certifies(&self, wanted: Wanted<'_>) -> Pair {
        let made = new_key().and_then(|key| Ok((certificate(&key, Some((&self.certificate, &self.key)), wanted)?, key)));
        let (certificate, key) = made.expect("OpenSSL makes a certificate");
        Pair { certificate: text(certificate.to_pem()), key: text(key.private_key_to_pem_pkcs8()) }
    }
}

impl Pair {
    /// Writes `NAME.crt` and `NAME.key` into a folder.
    pub fn write(&self, folder: &Path, name: &str) {
        for (kind, text) in [("crt", &self.certificate), ("key", &self.key)] {
            fs::write(folder.join(name).with_extension(kind), text).expect("the folder is there");
        }
    }
}

fn text(pem: Result<Vec<u8>, ErrorStack>) -> String {
    pem.ok().and_then(|pem| String::from_utf8(pem).ok()).expect("PEM is text")
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)
}

/// Signed by an authority, or by itself: then it is one.
fn certificate(key: &PKey<Private>, authority: Option<(&X509Ref, &PKey<Private>)>, wanted: Wanted<'_>) -> Result<X509, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", wanted.host)?;
    let (name, mut serial) = (name.build(), BigNum::new()?);
    serial.rand(64, MsbOption::MAYBE_ZERO, false)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
    let (from, to) = wanted.valid;
    let mut made = X509::builder()?;
    made.set_version(2)?;
    made.set_serial_number(&*serial.to_asn1_integer()?)?;
    made.set_subject_name(&name)?;
    made.set_issuer_name(authority.map_or(&*name, |(authority, _)| authority.subject_name()))?;
    made.set_not_before(&*Asn1Time::from_unix(now + from)?)?;
    made.set_not_after(&*Asn1Time::from_unix(now + to)?)?;
    made.set_pubkey(key)?;
    if let Some((authority, _)) = authority {
        let mut names = SubjectAlternativeName::new();
        if wanted.host.parse::<std::net::IpAddr>().is_ok() {
            names.ip(wanted.host)
        } else {
            names.dns(wanted.host)
        };
        let names = names.build(&made.x509v3_context(Some(authority), None))?;
        made.append_extension(names)?;
    } else {
        made.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    }
    made.sign(authority.map_or(key, |(_, key)| key), MessageDigest::sha256())?;
    Ok(made.build())
}
