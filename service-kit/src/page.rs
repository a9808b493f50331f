//! Collections, a page at a time, and what a query string may ask for.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Problem, Slug,
    config::PublicUrl,
    fields::{Broken, Field, Fields, RequestBody, hyphenated, parameters},
};

const MAX_OFFSET: i64 = 10_000;
const MAX_IDS: usize = 100;

/// Which part of a collection: `limit` 1–100, 5 unless told; `offset` 0–10,000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// How many at most.
    pub limit: i64,
    /// How many are passed over.
    pub offset: i64,
    /// The collection's path, with all parameters but these.
    link: String,
}

/// The parameters of a collection: its own filters, and which part of it.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// Its own.
    pub filter: T,
    /// Which part.
    pub paging: Paging,
}

/// The parameters of a resource that is no collection.
#[derive(Clone, Debug)]
pub struct Parameters<T>(pub T);

/// No parameters.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl RequestBody for Nothing {
    fn read(_: &mut Fields) -> Option<Self> {
        Some(Self)
    }
}

impl<S: Send + Sync, T: RequestBody> FromRequestParts<S> for Listing<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = pairs(parts, state).await?;
        let link = link(parts);
        parameters(pairs, |fields| {
            let limit = fields.take::<Option<Number<1, 100>>>("limit");
            let offset = fields.take::<Option<Number<0, MAX_OFFSET>>>("offset");
            let filter = T::read(fields)?;
            let paging = Paging { limit: limit?.map_or(5, |n| n.0), offset: offset?.map_or(0, |n| n.0), link };
            Some(Self { filter, paging })
        })
    }
}

impl<S: Send + Sync, T: RequestBody> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        parameters(pairs(parts, state).await?, T::read).map(Self)
    }
}

async fn pairs<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Vec<(String, String)>, Problem> {
    let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
    query.map(|Query(pairs)| pairs).map_err(|_| Problem::new(Slug::Malformed, "The query string cannot be read."))
}

/// The request's own path and filters, to which `limit` and `offset` are added.
fn link(parts: &Parts) -> String {
    let query = parts.uri.query().unwrap_or_default();
    let filters = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("limit=") && !pair.starts_with("offset="));
    let filters: String = filters.map(|pair| format!("{pair}&")).collect();
    format!("{}?{filters}", parts.uri.path())
}

/// A number in a query string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> Field for Number<MIN, MAX> {
    fn read(value: &Value) -> Result<Self, Broken> {
        let number = value.as_str().and_then(|text| text.parse().ok()).filter(|n| (MIN..=MAX).contains(n));
        number.map(Self).ok_or_else(|| Broken::new("out_of_range", format!("must be a number from {MIN} to {MAX}")))
    }
}

/// `true` or `false` in a query string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub bool);

impl Field for Flag {
    fn read(value: &Value) -> Result<Self, Broken> {
        let flag = value.as_str().and_then(|text| text.parse().ok());
        flag.map(Self).ok_or_else(|| Broken::new("wrong_type", "must be true or false"))
    }
}

/// At most 100 ids, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids(pub Vec<Uuid>);

impl Field for Ids {
    fn read(value: &Value) -> Result<Self, Broken> {
        let ids: Option<Vec<_>> = value.as_str().unwrap_or_default().split(',').map(hyphenated).collect();
        match ids {
            Some(ids) if ids.len() <= MAX_IDS => Ok(Self(ids)),
            Some(_) => Err(Broken::new("too_many", format!("must have at most {MAX_IDS} ids"))),
            None => Err(Broken::new("not_a_uuid", "must be UUIDs, separated by commas")),
        }
    }
}

/// Everything that begins with a text: from the text itself up to, and without, an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The text.
    pub from: String,
    /// The end.
    pub to: String,
}

impl From<String> for Prefix {
    fn from(from: String) -> Self {
        Self { to: format!("{from}{}", char::MAX), from }
    }
}

impl Field for Prefix {
    fn read(value: &Value) -> Result<Self, Broken> {
        Ok(String::from(crate::text::Text::<1, 120>::read(value)?).into())
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
    /// The page of `results`; `counted` need not be exact above 10,000.
    pub fn new(results: Vec<T>, counted: i64, paging: &Paging, url: &PublicUrl) -> Self {
        let Paging { limit, offset, link } = paging;
        let link = |offset: i64| url.link(&format!("{link}limit={limit}&offset={offset}"));
        let more = offset + limit < counted && offset + limit <= MAX_OFFSET;
        let last = (counted - 1).max(0) / limit * limit;
        Self {
            count: (counted <= MAX_OFFSET).then_some(counted),
            next: more.then(|| link(offset + limit)),
            previous: (*offset > 0).then(|| link((offset - limit).max(0))),
            first: link(0),
            last: (counted <= MAX_OFFSET).then(|| link(last)),
            limit: *limit,
            offset: *offset,
            next_cursor: None,
            results,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    crate::request! {
        /// A collection's filters.
        pub struct Filter {
            /// A prefix.
            pub title_startswith("title__startswith"): Option<Prefix>,
            /// A flag.
            pub approved: Option<Flag>,
            /// Some.
            pub id: Option<Ids>,
        }
    }

    async fn listing(query: &str) -> Result<Listing<Filter>, Problem> {
        let (mut parts, ()) = Request::get(format!("/x?{query}")).body(()).unwrap().into_parts();
        Listing::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn limits_are_kept_and_strangers_named() {
        let plain = listing("").await.unwrap();
        assert_eq!((plain.paging.limit, plain.paging.offset, plain.filter.id), (5, 0, None));
        let all = listing("limit=100&offset=10000&title__startswith=Ma&approved=true").await.unwrap();
        assert_eq!((all.paging.limit, all.paging.offset, all.filter.approved), (100, 10_000, Some(Flag(true))));
        let prefix = all.filter.title_startswith.unwrap();
        assert!(prefix.from.as_str() <= "Margherita" && "Margherita" < prefix.to.as_str() && "Mb" > prefix.to.as_str());
        for (query, field, code) in [
            ("limit=0", "limit", "out_of_range"),
            ("limit=101", "limit", "out_of_range"),
            ("offset=10001", "offset", "out_of_range"),
            ("limit=x", "limit", "out_of_range"),
            ("color=red", "color", "unknown"),
            ("approved=yes", "approved", "wrong_type"),
            ("approved=true&approved=false", "approved", "repeated"),
            ("id=1,2", "id", "not_a_uuid"),
        ] {
            let error = &listing(query).await.unwrap_err().errors[0];
            assert_eq!((error.field.as_str(), error.code), (field, code), "{query}");
        }
    }

    #[tokio::test]
    async fn a_page_links_to_its_neighbours_and_keeps_its_filters() {
        let url = crate::config::Listen { http_host: String::new(), http_port: None, public_url: Some("http://t".into()) };
        let url = url.public_url("127.0.0.1:1".parse().unwrap()).unwrap();
        let paging = listing("limit=2&approved=true&offset=4").await.unwrap().paging;
        let page = Page::new(vec![1, 2], 7, &paging, &url);
        assert_eq!(page.next.as_deref(), Some("http://t/x?approved=true&limit=2&offset=6"));
        assert_eq!(page.previous.as_deref(), Some("http://t/x?approved=true&limit=2&offset=2"));
        assert_eq!(page.last.as_deref(), Some("http://t/x?approved=true&limit=2&offset=6"));
        let empty = Page::new(Vec::<i32>::new(), 0, &listing("limit=2").await.unwrap().paging, &url);
        assert_eq!((empty.next, empty.last.as_deref()), (None, Some("http://t/x?limit=2&offset=0")));
    }
}
