//! That a form was sent from a page of ours: the page sets a random cookie and hides the same value in the form; another site can
//! neither read nor set it. Beside `SameSite=Lax` and the check of `Origin`.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

const COOKIE: &str = "pizza-csrf";

/// What a form has to send back.
#[derive(Clone, Debug)]
pub struct Token {
    pub(crate) value: String,
    pub(crate) set_cookie: Option<HeaderValue>,
}

impl Token {
    /// The browser's own, or a new one.
    ///
    /// # Panics
    /// The system has no randomness.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        if let Some(value) = sent(headers) {
            return Self { value: value.into(), set_cookie: None };
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).expect("the system has randomness");
        let value = BASE64_URL_SAFE_NO_PAD.encode(random);
        let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax");
        Self { value, set_cookie: HeaderValue::from_str(&cookie).ok() }
    }
}

/// Whether a form's token is that of the browser that sends it.
#[must_use]
pub fn is_ours(headers: &HeaderMap, form_token: &str) -> bool {
    sent(headers).is_some_and(|token| token == form_token)
}

fn sent(headers: &HeaderMap) -> Option<&str> {
    let lists = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = lists.flat_map(|list| list.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(name, value)| *name == COOKIE && value.len() == 43).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_by_the_browser_and_known_again() {
        let first = Token::of(&HeaderMap::new());
        let cookie = first.set_cookie.as_ref().unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
        let headers = HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]);
        let again = Token::of(&headers);
        assert_eq!((&again.value, again.set_cookie), (&first.value, None));
        assert!(is_ours(&headers, &first.value));
        assert!(!is_ours(&headers, "") && !is_ours(&HeaderMap::new(), &first.value) && !is_ours(&HeaderMap::new(), ""));
    }
}
