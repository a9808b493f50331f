//! Consistency tokens: `epoch.partition.position`, opaque to clients. A command's answer carries one; a query that is sent
//! it answers only from rows that include that position.

use std::{fmt, str::FromStr};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Problem, Slug};

/// The header of requests and answers.
pub static CONSISTENCY_TOKEN: HeaderName = HeaderName::from_static("consistency-token");

/// A place in the log that rows must include.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsistencyToken {
    /// Of the log; another epoch's positions mean nothing.
    pub epoch: u32,
    /// Which partition.
    pub partition: u16,
    /// The last event's place.
    pub position: i64,
}

impl fmt::Display for ConsistencyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.epoch, self.partition, self.position)
    }
}

impl FromStr for ConsistencyToken {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut number = || parts.next().filter(|part| part.bytes().all(|b| b.is_ascii_digit())).ok_or(());
        let (epoch, partition, position) = (number()?, number()?, number()?);
        if parts.next().is_some() {
            return Err(());
        }
        let parsed = (epoch.parse(), partition.parse(), position.parse());
        let (Ok(epoch), Ok(partition), Ok(position)) = parsed else { return Err(()) };
        Ok(Self { epoch, partition, position })
    }
}

impl From<ConsistencyToken> for HeaderValue {
    fn from(token: ConsistencyToken) -> Self {
        Self::from_str(&token.to_string()).expect("digits and dots")
    }
}

/// All tokens of a request: the header is a list and may be repeated.
///
/// # Errors
/// 400 for what is no token, 409 for one of another epoch.
pub fn tokens(headers: &HeaderMap, epoch: u32, partitions: u16) -> Result<Vec<ConsistencyToken>, Problem> {
    let malformed = || Problem::new(Slug::Malformed, "Consistency-Token: expected <epoch>.<partition>.<position>, or a list of these");
    let mut tokens = Vec::new();
    for header in headers.get_all(&CONSISTENCY_TOKEN) {
        let list = header.to_str().map_err(|_| malformed())?;
        for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let token: ConsistencyToken = text.parse().map_err(|()| malformed())?;
            if token.partition >= partitions {
                return Err(malformed());
            }
            if token.epoch != epoch {
                return Err(Problem::new(Slug::EpochChanged, "Consistency-Token: the log was restored since; drop the token"));
            }
            tokens.push(token);
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&'static str]) -> Result<Vec<ConsistencyToken>, Slug> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&CONSISTENCY_TOKEN, HeaderValue::from_static(value));
        }
        tokens(&headers, 1, 16).map_err(|problem| problem.slug)
    }

    #[test]
    fn the_header_is_a_list_and_may_be_repeated() {
        let token = |partition, position| ConsistencyToken { epoch: 1, partition, position };
        assert_eq!(parse(&["1.3.42, 1.15.7", "1.0.1"]), Ok(vec![token(3, 42), token(15, 7), token(0, 1)]));
        assert_eq!(parse(&[]), Ok(vec![]));
        assert_eq!(token(3, 42).to_string().parse(), Ok(token(3, 42)));
    }

    #[test]
    fn what_is_no_token_is_malformed_and_another_epoch_is_told() {
        for bad in ["x", "1.2", "1.2.3.4", "1.16.3", "1.2.-3", "+1.2.3", "1..3", "1.2.99999999999999999999"] {
            assert_eq!(parse(&[bad]), Err(Slug::Malformed), "{bad}");
        }
        assert_eq!(parse(&["2.1.1"]), Err(Slug::EpochChanged));
    }
}
