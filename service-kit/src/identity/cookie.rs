//! The session cookie: sealed with AES-256-GCM (RFC 5116), so that nobody learns or makes up what is in it. It is only a
//! pointer: valid as long as its row in the store is.

use aes_gcm::{
    Aes256Gcm, Key,
    aead::{Aead, Generate, KeyInit, Nonce, Payload},
};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::SESSION;
use crate::config::PublicUrl;

const SECRET: usize = 32;
const NONCE: usize = 12;

pub struct Jar {
    /// The first seals, all open.
    ring: Vec<Aes256Gcm>,
    public_url: PublicUrl,
}

pub struct Sealed {
    pub secret: [u8; SECRET],
    pub set_cookie: HeaderValue,
}

pub struct Opened {
    pub session_id: Uuid,
    pub secret: [u8; SECRET],
}

impl Jar {
    pub fn new(keys: &[[u8; 32]], public_url: PublicUrl) -> Self {
        Self { ring: keys.iter().map(|key| Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))).collect(), public_url }
    }

    /// `__Host-` (RFC 6265bis, section 4.1.3.2) binds the cookie to https and to this very host.
    fn name(&self) -> &'static str {
        if self.public_url.is_https() { "__Host-pizza-auth" } else { "pizza-auth" }
    }

    pub fn seal(&self, session_id: Uuid, expires_at: DateTime<Utc>) -> Result<Sealed, std::io::Error> {
        let mut secret = [0; SECRET];
        getrandom::fill(&mut secret)?;
        let plain = [&session_id.into_bytes()[..], &secret, &expires_at.timestamp().to_be_bytes()].concat();
        let nonce = Nonce::<Aes256Gcm>::generate();
        let payload = Payload { msg: &plain, aad: self.name().as_bytes() };
        let sealed = self.ring[0].encrypt(&nonce, payload).map_err(|e| std::io::Error::other(e.to_string()))?;
        let value = BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        Ok(Sealed { secret, set_cookie: self.set_cookie(&value, SESSION.as_secs()) })
    }

    pub fn cleared(&self) -> HeaderValue {
        self.set_cookie("", 0)
    }

    fn set_cookie(&self, value: &str, max_age: u64) -> HeaderValue {
        let secure = if self.public_url.is_https() { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}", self.name());
        HeaderValue::from_str(&text).expect("base64 and attributes are ASCII")
    }

    /// What is in the request's cookie, unless it is missing, forged or out of date.
    pub fn open(&self, headers: &HeaderMap) -> Option<Opened> {
        let lists = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = lists.flat_map(|list| list.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        let (_, value) = cookies.find(|(name, _)| *name == self.name())?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let payload = || Payload { msg: sealed, aad: self.name().as_bytes() };
        let plain = self.ring.iter().find_map(|key| key.decrypt(&nonce.into(), payload()).ok())?;
        let (session_id, rest) = plain.split_first_chunk::<16>()?;
        let (secret, expires_at) = rest.split_first_chunk::<SECRET>()?;
        let expires_at = i64::from_be_bytes(expires_at.try_into().ok()?);
        (expires_at > Utc::now().timestamp()).then(|| Opened { session_id: Uuid::from_bytes(*session_id), secret: *secret })
    }

    /// Whether a browser says that another site made it send this request. Programs that are no browsers say nothing.
    pub fn is_foreign(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
        match text("sec-fetch-site") {
            Some(site) => site != "same-origin" && site != "none",
            None => text("origin").is_some_and(|origin| origin != self.public_url.origin()),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn jar(keys: &[[u8; 32]], url: &str) -> Jar {
        let listen = crate::config::Listen { http_host: String::new(), http_port: None, public_url: Some(url.into()) };
        Jar::new(keys, listen.public_url("127.0.0.1:1".parse().unwrap()).unwrap())
    }

    fn sent(set_cookie: &HeaderValue) -> HeaderMap {
        let pair = set_cookie.to_str().unwrap().split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, format!("theme=dark; {pair}").parse().unwrap())])
    }

    #[test]
    fn a_cookie_opens_with_any_key_of_the_ring_and_with_no_other() {
        let soon = Utc::now() + TimeDelta::minutes(1);
        let session_id = Uuid::now_v7();
        let sealed = jar(&[[1; 32]], "http://t").seal(session_id, soon).unwrap();
        let headers = sent(&sealed.set_cookie);
        let opened = jar(&[[2; 32], [1; 32]], "http://t").open(&headers).unwrap();
        assert_eq!((opened.session_id, opened.secret), (session_id, sealed.secret));
        assert!(jar(&[[2; 32]], "http://t").open(&headers).is_none());
        assert!(jar(&[[1; 32]], "https://t").open(&headers).is_none(), "an http cookie is nothing under https");
    }

    #[test]
    fn a_cookie_that_is_out_of_date_or_forged_is_nothing() {
        let jar = jar(&[[1; 32]], "http://t");
        let past = Utc::now() - TimeDelta::seconds(1);
        assert!(jar.open(&sent(&jar.seal(Uuid::now_v7(), past).unwrap().set_cookie)).is_none());
        for forged in ["", "x", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "é"] {
            let value = HeaderValue::from_str(&format!("pizza-auth={forged}")).unwrap();
            assert!(jar.open(&HeaderMap::from_iter([(header::COOKIE, value)])).is_none());
        }
    }

    #[test]
    fn cookies_are_for_http_only_and_under_https_secure() {
        let set = |url| jar(&[[1; 32]], url).cleared().to_str().unwrap().to_owned();
        assert!(set("http://t").starts_with("pizza-auth=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
        assert!(set("https://t").starts_with("__Host-pizza-auth=") && set("https://t").ends_with("; Secure"));
    }

    #[test]
    fn another_site_is_found_out() {
        let jar = jar(&[[1; 32]], "http://t:1");
        let foreign = |name: &'static str, value: &'static str| {
            jar.is_foreign(&HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))]))
        };
        assert!(foreign("origin", "http://evil") && foreign("origin", "null") && foreign("sec-fetch-site", "cross-site"));
        assert!(!foreign("origin", "http://t:1") && !foreign("sec-fetch-site", "same-origin") && !jar.is_foreign(&HeaderMap::new()));
    }
}
