//! Bodies, as handlers take them.

use axum::{
    body::Bytes,
    extract::{Form, FromRequest, Request},
    http::{HeaderMap, header},
};
use serde_json::Value;

use super::{Fields, MAX_BODY, RequestBody};
use crate::{Problem, Slug};

/// The extractor of a JSON body.
#[derive(Clone, Debug)]
pub struct Parsed<T>(pub T);

impl<S: Send + Sync, T: RequestBody> FromRequest<S> for Parsed<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Slug::UnsupportedMediaType, "The body must be application/json."));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status().as_u16() {
            413 => Problem::new(Slug::TooLarge, format!("The body must have at most {MAX_BODY} bytes.")),
            _ => Problem::new(Slug::Malformed, "The body could not be read to its end."),
        })?;
        T::parse(&body).map(Parsed)
    }
}

/// The extractor of a form's body (`application/x-www-form-urlencoded`): what is wrong with its members is left to the page.
#[derive(Clone, Debug)]
pub struct FormData(Fields);

impl FormData {
    /// Reads all members.
    ///
    /// # Errors
    /// 400: members break rules; all of them are named.
    pub fn read<T: RequestBody>(mut self) -> Result<T, Problem> {
        T::read(&mut self.0).ok_or_else(|| Problem::validation(self.0.errors))
    }

    /// A member as it was typed; empty where there is none.
    #[must_use]
    pub fn typed(&self, name: &str) -> String {
        self.0.members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

impl<S: Send + Sync> FromRequest<S> for FormData {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let pairs =
            Form::<Vec<(String, String)>>::from_request(request, state).await.map_err(|rejection| match rejection.status().as_u16() {
                413 => Problem::new(Slug::TooLarge, format!("The body must have at most {MAX_BODY} bytes.")),
                415 => Problem::new(Slug::UnsupportedMediaType, "The body must be application/x-www-form-urlencoded."),
                _ => Problem::new(Slug::Malformed, "The form cannot be read."),
            })?;
        let members = pairs.0.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        Ok(Self(Fields { members, errors: vec![] }))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/merge-patch+json"].iter().any(|known| essence.eq_ignore_ascii_case(known))
}
