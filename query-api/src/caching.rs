//! What clients and caches in between may keep, and asking again whether it is still so (RFC 9110, section 13; RFC 9111).

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use service_kit::Problem;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// What an answer depends on beside its address.
const VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding, Authorization, Cookie");
const PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=0, must-revalidate");

/// A single thing, and the version of its stream. Its entity tag begins with the version, so that a client may send it with a
/// change (`If-Match`) of what it has seen.
#[derive(Debug)]
pub struct Versioned<T>(pub i64, pub T);

#[derive(Clone, Copy)]
struct Version(i64);

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        response.extensions_mut().insert(Version(self.0));
        response
    }
}

/// Gives every answer an entity tag, and answers 304 when the client has that one. What must not be stored is left alone.
pub async fn entity_tags(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let personal = request.headers().contains_key(header::COOKIE);
    let response = next.run(request).await;
    if !reads || response.status() != StatusCode::OK || response.headers().contains_key(header::CACHE_CONTROL) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = match to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => return Problem::internal(error).into_response(),
    };
    let tag = match parts.extensions.get() {
        Some(Version(version)) => format!("\"{version}.{:016x}\"", xxh3_64(&body)),
        None => format!("\"{:032x}\"", xxh3_128(&body)),
    };
    keep(&mut parts.headers, &tag, personal);
    if known.is_some_and(|known| names(&known, &tag)) {
        let mut unchanged = StatusCode::NOT_MODIFIED.into_response();
        keep(unchanged.headers_mut(), &tag, personal);
        return unchanged;
    }
    Response::from_parts(parts, Body::from(body))
}

fn keep(headers: &mut HeaderMap, tag: &str, personal: bool) {
    headers.insert(header::ETAG, HeaderValue::from_str(tag).expect("digits and a dot"));
    headers.insert(header::VARY, VARY);
    headers.insert(header::CACHE_CONTROL, if personal { PRIVATE } else { PUBLIC });
}

/// Whether an `If-None-Match` header names a tag: a list is compared weakly, `*` names any.
fn names(header: &HeaderValue, tag: &str) -> bool {
    let mut list = header.to_str().unwrap_or_default().split(',').map(str::trim);
    list.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_not() {
        let names = |list: &'static str| names(&HeaderValue::from_static(list), "\"a\"");
        assert!(names("\"a\"") && names("\"b\", \"a\"") && names("W/\"a\"") && names("*"));
        assert!(!names("\"b\"") && !names("a") && !names(""));
    }
}
