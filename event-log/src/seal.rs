//! Sealing the personal values of a payload, knowing no word of what the event means: `{"$pii": value}` is stored as `{"$sealed": "…"}`,
//! and reads as `{"$shredded": true}` once its subject's key is destroyed.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Append, AppendError, Recorded,
    keys::{DataKey, Keys},
};

const CLEAR: &str = "$pii";
const SEALED: &str = "$sealed";
const SHREDDED: &str = "$shredded";

impl Keys {
    /// Seals all personal values of an append with its subject's key.
    pub(crate) async fn seal(&self, append: &mut Append) -> Result<(), AppendError> {
        let database = |e: sqlx::Error| AppendError::Database(e.into());
        for event in append.events.iter_mut().filter(|event| event.payload.contains(CLEAR)) {
            let Ok(mut payload) = serde_json::from_str(&event.payload) else { continue };
            if !holds(&payload, CLEAR) {
                continue;
            }
            let event_type = event.event_type;
            let subject = append.metadata.subject_id.ok_or(AppendError::NoSubject { event_type })?;
            let key = self.find_or_make(subject).await.map_err(database)?.ok_or(AppendError::Erased { subject })?;
            each(&mut payload, CLEAR, &mut String::new(), &mut |value, path| {
                let sealed = key.seal(value.to_string().as_bytes(), &place(event.event_id, path))?;
                Ok(json!({ SEALED: BASE64_STANDARD.encode(sealed) }))
            })
            .map_err(database)?;
            event.payload = payload.to_string();
        }
        Ok(())
    }

    /// Opens the personal values of stored events, as far as there are keys.
    ///
    /// # Errors
    /// The key store's own, or a value was changed: `Decode`.
    pub async fn unseal(&self, mut events: Vec<Recorded>) -> Result<Vec<Recorded>, sqlx::Error> {
        let mut keys = HashMap::<Uuid, Option<DataKey>>::new();
        for event in events.iter_mut().filter(|event| event.payload.contains(SEALED)) {
            let Some(subject) = event.metadata.subject_id else { continue };
            let Ok(mut payload) = serde_json::from_str(&event.payload) else { continue };
            if !holds(&payload, SEALED) {
                continue;
            }
            let key = match keys.get(&subject) {
                Some(key) => key.clone(),
                None => self.find(subject).await?,
            };
            each(&mut payload, SEALED, &mut String::new(), &mut |value, path| match &key {
                None => Ok(json!({ SHREDDED: true })),
                Some(key) => Ok(json!({ CLEAR: opened(key, value, &place(event.event_id, path))? })),
            })?;
            event.payload = payload.to_string();
            keys.insert(subject, key);
        }
        Ok(events)
    }
}

fn opened(key: &DataKey, sealed: &Value, place: &[u8]) -> Result<Value, sqlx::Error> {
    let bytes = sealed.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok()).and_then(|bytes| key.open(&bytes, place));
    let broken = || sqlx::Error::Decode(format!("a personal value at {} was changed", String::from_utf8_lossy(&place[16..])).into());
    serde_json::from_slice(&bytes.ok_or_else(broken)?).map_err(|e| sqlx::Error::Decode(e.into()))
}

/// Where a value is: it opens nowhere else.
fn place(event_id: Uuid, path: &str) -> Vec<u8> {
    [event_id.as_bytes(), path.as_bytes()].concat()
}

/// The value of an object whose only member has this name.
fn marked<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object().filter(|object| object.len() == 1)?.get(name)
}

fn holds(value: &Value, name: &str) -> bool {
    marked(value, name).is_some()
        || match value {
            Value::Object(members) => members.values().any(|value| holds(value, name)),
            Value::Array(values) => values.iter().any(|value| holds(value, name)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}

type Change<'a> = dyn FnMut(&Value, &str) -> Result<Value, sqlx::Error> + 'a;

/// Replaces every object whose only member is `name`, telling the path to it (RFC 6901).
fn each(value: &mut Value, name: &str, path: &mut String, change: &mut Change<'_>) -> Result<(), sqlx::Error> {
    if let Some(inner) = marked(value, name) {
        *value = change(inner, path)?;
        return Ok(());
    }
    let length = path.len();
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                path.push('/');
                path.push_str(&member.replace('~', "~0").replace('/', "~1"));
                each(value, name, path, change)?;
                path.truncate(length);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                path.push('/');
                path.push_str(&index.to_string());
                each(value, name, path, change)?;
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}
