//! Collections, a page at a time.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Serialize;

use crate::{Problem, config::PublicUrl, problem::FieldError};

const DEFAULT_LIMIT: i64 = 5;
const MAX_LIMIT: i64 = 100;
const MAX_OFFSET: i64 = 10_000;

/// Which part of a collection: `limit` 1–100, 5 unless told; `offset` 0–10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// How many at most.
    pub limit: i64,
    /// How many are passed over.
    pub offset: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(crate::Slug::Malformed, "The query string cannot be read."))?;
        let mut paging = Self { limit: DEFAULT_LIMIT, offset: 0 };
        let mut errors = vec![];
        for (name, value) in pairs {
            let (place, range) = match name.as_str() {
                "limit" => (&mut paging.limit, 1..=MAX_LIMIT),
                "offset" => (&mut paging.offset, 0..=MAX_OFFSET),
                _ => {
                    errors.push(FieldError::new(&name, "unknown", "is not a parameter of this collection"));
                    continue;
                }
            };
            match value.parse() {
                Ok(number) if range.contains(&number) => *place = number,
                _ => {
                    let detail = format!("must be a number from {} to {}", range.start(), range.end());
                    errors.push(FieldError::new(&name, "out_of_range", detail));
                }
            }
        }
        if errors.is_empty() { Ok(paging) } else { Err(Problem::validation(errors)) }
    }
}

/// A page with links to its neighbours.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    /// How many there are in all, `null` above 10,000.
    pub count: Option<i64>,
    next: Option<String>,
    previous: Option<String>,
    first: String,
    last: Option<String>,
    limit: i64,
    offset: i64,
    next_cursor: Option<String>,
    /// This page's part.
    pub results: Vec<T>,
}

impl<T> Page<T> {
    /// The page of `results` at `path`; `counted` need not be exact above 10,000.
    pub fn new(results: Vec<T>, counted: i64, paging: Paging, url: &PublicUrl, path: &str) -> Self {
        let Paging { limit, offset } = paging;
        let link = |offset: i64| url.link(&format!("{path}?limit={limit}&offset={offset}"));
        let more = offset + limit < counted && offset + limit <= MAX_OFFSET;
        let last = (counted - 1).max(0) / limit * limit;
        Self {
            count: (counted <= MAX_OFFSET).then_some(counted),
            next: more.then(|| link(offset + limit)),
            previous: (offset > 0).then(|| link((offset - limit).max(0))),
            first: link(0),
            last: (counted <= MAX_OFFSET).then(|| link(last)),
            limit,
            offset,
            next_cursor: None,
            results,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn paging(query: &str) -> Result<Paging, Problem> {
        let (mut parts, ()) = Request::get(format!("/x?{query}")).body(()).unwrap().into_parts();
        Paging::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn limits_are_kept_and_strangers_named() {
        assert_eq!(paging("").await.unwrap(), Paging { limit: 5, offset: 0 });
        assert_eq!(paging("limit=100&offset=10000").await.unwrap(), Paging { limit: 100, offset: 10_000 });
        for (query, field) in
            [("limit=0", "limit"), ("limit=101", "limit"), ("offset=10001", "offset"), ("limit=x", "limit"), ("color=red", "color")]
        {
            assert_eq!(paging(query).await.unwrap_err().errors[0].field, field);
        }
    }

    #[test]
    fn a_page_links_to_its_neighbours() {
        let url =
            crate::config::Listen { http_host: String::new(), http_port: None, admin_port: None, public_url: Some("http://t".into()) };
        let url = url.public_url("127.0.0.1:1".parse().unwrap()).unwrap();
        let page = Page::new(vec![1, 2], 7, Paging { limit: 2, offset: 4 }, &url, "/x");
        assert_eq!(page.next.as_deref(), Some("http://t/x?limit=2&offset=6"));
        assert_eq!(page.previous.as_deref(), Some("http://t/x?limit=2&offset=2"));
        assert_eq!(page.last.as_deref(), Some("http://t/x?limit=2&offset=6"));
        let empty = Page::new(Vec::<i32>::new(), 0, Paging { limit: 2, offset: 0 }, &url, "/x");
        assert_eq!((empty.next, empty.last.as_deref()), (None, Some("http://t/x?limit=2&offset=0")));
    }
}
