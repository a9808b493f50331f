//! Brokers that do not let us in, or that we do not trust: which, and why. The client library tries again by itself, all the time.

use std::{
    collections::HashMap,
    net::{TcpStream, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use openssl::{
    error::ErrorStack,
    ssl::{HandshakeError, SslConnector, SslFiletype, SslMethod},
    x509::X509VerifyResult,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::access::{Access, Tls};

/// How long a broker is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often.
const AGAIN: Duration = Duration::from_secs(5);
/// For so long after we were let in a client of ours may still tell of before.
const ECHO: Duration = Duration::from_secs(10);

/// What each broker that does not let us in says; clones share it. A line is told once, and again when it changes.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    access: Access,
    brokers: Arc<Mutex<HashMap<String, Refusal>>>,
}

#[derive(Debug, Default)]
struct Refusal {
    /// The last one that was told.
    why: String,
    /// Whether it is so now; else the broker is away, for example.
    is_now: bool,
    looked_at: Option<Instant>,
    /// When we were let in since.
    over_at: Option<Instant>,
}

impl Refusals {
    pub fn new(access: &Access) -> Self {
        Self { access: access.clone(), ..Self::default() }
    }

    fn brokers(&self) -> MutexGuard<'_, HashMap<String, Refusal>> {
        self.brokers.lock().expect("no panic while it is held")
    }

    /// What one of them says now, and where to look.
    pub fn any(&self) -> Option<String> {
        let brokers = self.brokers();
        let now = brokers.iter().filter(|(_, refusal)| refusal.is_now);
        now.map(|(address, refusal)| format!("{address}: {}", refusal.why)).min()
    }

    /// We were let in.
    pub fn forget(&self) {
        for refusal in self.brokers().values_mut() {
            (refusal.is_now, refusal.over_at) = (false, Some(Instant::now()));
        }
    }

    /// What the client library tells of a broker. It may ask that broker itself, for two seconds.
    pub fn hear(&self, error: &KafkaError, told: &str) {
        let Some((address, said)) = parts(told) else { return };
        let Some(mut why) = error.rdkafka_error_code().and_then(|code| reason(code, said)) else {
            // Nobody listens any more: that is told by whoever waits for it.
            if said.starts_with("Connect to ") {
                self.brokers().entry(address.to_owned()).or_default().is_now = false;
            }
            return;
        };
        if is_vague(said) || is_guess(said) {
            // It may be long ago that this was said, or the broker was just ending.
            let Some(seen) = self.may_look(address).then(|| look(self.access.tls.as_ref(), address)).flatten() else { return };
            if is_vague(said) {
                why = format!("its certificate is not accepted: {seen}; look at it, and at KAFKA_CA_FILE");
            }
        }
        let mut brokers = self.brokers();
        let refusal = brokers.entry(address.to_owned()).or_default();
        if refusal.why == why && refusal.over_at.is_some_and(|at| at.elapsed() < ECHO) {
            return;
        }
        refusal.is_now = true;
        if refusal.over_at.take().is_some() || refusal.why != why {
            tracing::error!(broker = address, %why, "Kafka does not let us in; it is tried again");
            refusal.why = why;
        }
    }

    fn may_look(&self, address: &str) -> bool {
        let mut brokers = self.brokers();
        let refusal = brokers.entry(address.to_owned()).or_default();
        let may = refusal.looked_at.is_none_or(|at| at.elapsed() >= AGAIN);
        if may {
            refusal.looked_at = Some(Instant::now());
        }
        may
    }
}

/// The broker's `HOST:PORT`, and what there is to say: `sasl_ssl://HOST:PORT/1: TEXT (after 3ms in state CONNECT)`.
fn parts(told: &str) -> Option<(&str, &str)> {
    let (name, said) = told.split_once("://").map_or(told, |(_, rest)| rest).split_once(": ")?;
    let said = said.rsplit_once(" (after ").map_or(said, |(said, _)| said);
    Some((name.split('/').next()?, said))
}

/// OpenSSL says that it does not like the certificate, and not why.
fn is_vague(said: &str) -> bool {
    said.contains("certificate verify failed")
}

/// The broker has closed the connection, and the library guesses why.
fn is_guess(said: &str) -> bool {
    said.contains("security.protocol") || said.contains("PLAINTEXT broker listener")
}

/// Our password is refused; a broker may also go away while it looks at it.
fn is_of_login(code: RDKafkaErrorCode, said: &str) -> bool {
    let login = [RDKafkaErrorCode::Authentication, RDKafkaErrorCode::SaslAuthenticationFailed];
    login.contains(&code) && !said.contains("Broker transport failure")
}

/// What is wrong, and which settings to look at; `None`: the broker is just away.
fn reason(code: RDKafkaErrorCode, said: &str) -> Option<String> {
    let settings = if is_guess(said) {
        "KAFKA_TLS and KAFKA_SASL, and which listener KAFKA_URL names"
    } else if code == RDKafkaErrorCode::SSL && is_vague(said) {
        "the broker's certificate, and at KAFKA_CA_FILE"
    } else if code == RDKafkaErrorCode::SSL || said.contains("SSL routines") {
        // TLS 1.3 tells whom it lacks a certificate of only after the handshake, where the library takes it for a lost connection.
        "KAFKA_CERT_FILE and KAFKA_KEY_FILE, and which listener KAFKA_URL names"
    } else if is_of_login(code, said) {
        "KAFKA_SASL, KAFKA_USER and KAFKA_PASSWORD"
    } else {
        return None;
    };
    Some(format!("{said}; look at {settings}"))
}

/// What we have against a broker, most of all against its certificate; nothing, if it is away.
fn look(tls: Option<&Tls>, address: &str) -> Option<String> {
    let (host, _) = address.rsplit_once(':')?;
    let stream = TcpStream::connect_timeout(&address.to_socket_addrs().ok()?.next()?, LOOK).ok()?;
    let Some(tls) = tls else { return Some("it is there".into()) };
    stream.set_read_timeout(Some(LOOK)).and_then(|()| stream.set_write_timeout(Some(LOOK))).ok()?;
    match connector(tls).ok()?.connect(host.trim_matches(['[', ']']), stream) {
        Err(HandshakeError::Failure(stream)) => {
            let verdict = stream.ssl().verify_result();
            Some(if verdict == X509VerifyResult::OK { stream.error().to_string() } else { verdict.error_string().to_owned() })
        }
        Ok(_) | Err(HandshakeError::SetupFailure(_) | HandshakeError::WouldBlock(_)) => None,
    }
}

fn connector(tls: &Tls) -> Result<SslConnector, ErrorStack> {
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    if let Some(authorities) = tls.authorities() {
        connector.set_ca_file(authorities)?;
    }
    if let Some((certificate, key)) = &tls.own {
        connector.set_certificate_chain_file(certificate)?;
        connector.set_private_key_file(key, SslFiletype::PEM)?;
    }
    Ok(connector.build())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use openssl::{pkey::PKey, ssl::SslAcceptor, x509::X509};
    use test_servers::certificates::{Authority, Pair, expired, of};

    use super::*;

    #[test]
    fn a_broker_and_what_it_says_are_found_in_what_the_library_tells() {
        let told = "sasl_ssl://kafka.example:9094/bootstrap: SASL authentication error: no (after 301ms in state AUTH_REQ)";
        assert_eq!(parts(told), Some(("kafka.example:9094", "SASL authentication error: no")));
        assert_eq!(parts("ssl://[::1]:9094/1: SSL handshake failed: x: y"), Some(("[::1]:9094", "SSL handshake failed: x: y")));
        assert_eq!(parts("1/1 brokers are down"), None);
    }

    /// Shows a certificate to the first who comes.
    fn shows(pair: &Pair) -> String {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate(&X509::from_pem(pair.certificate.as_bytes()).unwrap()).unwrap();
        acceptor.set_private_key(&PKey::private_key_from_pem(pair.key.as_bytes()).unwrap()).unwrap();
        let (acceptor, listener) = (acceptor.build(), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || acceptor.accept(listener.accept().unwrap().0).is_ok());
        address
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_found_out() {
        let (authority, folder) = (Authority::default(), tempfile::tempdir().unwrap());
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, authority.pem()).unwrap();
        let tls = Tls { ca_file: Some(ca_file), own: None };
        for (pair, verdict) in [
            (authority.certifies(of("127.0.0.1")), None),
            (authority.certifies(expired("127.0.0.1")), Some("certificate has expired")),
            (authority.certifies(of("kafka.example")), Some("IP address mismatch")),
            (Authority::default().certifies(of("127.0.0.1")), Some("unable to get local issuer certificate")),
        ] {
            assert_eq!(look(Some(&tls), &shows(&pair)).as_deref(), verdict);
        }
        assert_eq!(look(Some(&tls), "127.0.0.1:1").or(look(None, "127.0.0.1:1")), None, "nobody is there");
    }

    #[test]
    fn who_is_just_away_does_not_refuse_us() {
        let broker = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        let (refusals, login) = (Refusals::default(), KafkaError::Global(RDKafkaErrorCode::Authentication));
        refusals.hear(&broker, "ssl://a:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)");
        assert_eq!(refusals.any(), None);
        refusals.hear(&login, "sasl_ssl://a:1/1: SASL SCRAM-SHA-512 mechanism handshake failed: Local: Broker transport failure: (n/a)");
        assert_eq!(refusals.any(), None);
        refusals.hear(&login, "sasl_ssl://a:1/1: no");
        assert_eq!(refusals.any().unwrap(), "a:1: no; look at KAFKA_SASL, KAFKA_USER and KAFKA_PASSWORD");
        refusals.hear(&broker, "sasl_ssl://a:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)");
        assert_eq!(refusals.any(), None);
    }
}
