//! Request bodies: parsed once, at the edge, into types that are valid by themselves, with every broken member named.
//!
//! [`request!`](crate::request!) makes a body's type from its members; each member's type says how it is read ([`Field`]).
//! Members that nobody asked for are ignored, so a body that was read can be sent back.

mod extract;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{Problem, Slug, problem::FieldError};

pub use extract::{FormData, Parsed};

/// The largest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Which rule a value breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl Broken {
    /// A rule, and how to keep it.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// A type that a member can have.
pub trait Field: Sized {
    /// Reads a value that is there.
    ///
    /// # Errors
    /// The rule that it breaks.
    fn read(value: &Value) -> Result<Self, Broken>;

    /// What it is when the member is not there.
    ///
    /// # Errors
    /// The member is required.
    fn absent() -> Result<Self, Broken> {
        Err(Broken::new("required", "is required"))
    }
}

/// May be left out, or null.
impl<T: Field> Field for Option<T> {
    fn read(value: &Value) -> Result<Self, Broken> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }

    fn absent() -> Result<Self, Broken> {
        Ok(None)
    }
}

/// A member of a merge patch (RFC 7396) that may be taken away: left out it stays, `null` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// As it is.
    #[default]
    Keep,
    /// Nothing.
    Clear,
    /// This.
    Set(T),
}

impl<T> Patch<T> {
    /// What is wished, unless it stays: something, or nothing.
    pub fn wish(self) -> Option<Option<T>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }
}

impl<T: Field> Field for Patch<T> {
    fn read(value: &Value) -> Result<Self, Broken> {
        if value.is_null() { Ok(Self::Clear) } else { T::read(value).map(Self::Set) }
    }

    fn absent() -> Result<Self, Broken> {
        Ok(Self::Keep)
    }
}

/// A member of a merge patch that is always there: left out it stays, `null` is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change<T>(pub Option<T>);

impl<T: Field> Field for Change<T> {
    fn read(value: &Value) -> Result<Self, Broken> {
        T::read(value).map(|value| Self(Some(value)))
    }

    fn absent() -> Result<Self, Broken> {
        Ok(Self(None))
    }
}

impl Field for bool {
    fn read(value: &Value) -> Result<Self, Broken> {
        value.as_bool().ok_or_else(|| Broken::new("wrong_type", "must be true or false"))
    }
}

/// Reads a member that is an object with members of its own.
///
/// # Errors
/// The rules that its members break, in one.
pub fn nested<T: RequestBody>(value: &Value) -> Result<T, Broken> {
    let Value::Object(members) = value else { return Err(Broken::new("wrong_type", "must be an object")) };
    let mut fields = Fields { members: members.clone(), errors: vec![] };
    T::read(&mut fields).ok_or_else(|| {
        let told: Vec<_> = fields.errors.iter().map(|e| format!("{} {}", e.field, e.detail)).collect();
        Broken::new("invalid", told.join("; "))
    })
}

impl Field for Uuid {
    fn read(value: &Value) -> Result<Self, Broken> {
        value.as_str().and_then(hyphenated).ok_or_else(|| Broken::new("not_a_uuid", "must be a UUID"))
    }
}

/// The one form in which an id is written here.
pub(crate) fn hyphenated(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| text.parse().ok()).flatten()
}

/// The members of a body, and what is wrong with them so far.
#[derive(Clone, Debug)]
pub struct Fields {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads one member; what is wrong with it is kept.
    pub fn take<T: Field>(&mut self, name: &str) -> Option<T> {
        let read = self.members.remove(name).as_ref().map_or_else(T::absent, T::read);
        read.map_err(|broken| self.errors.push(FieldError::new(name, broken.code, broken.detail))).ok()
    }
}

/// Reads the parameters of a query string: unlike members of a body, those that nobody asked for are refused.
///
/// # Errors
/// 400: parameters break rules, are unknown, or come twice; all of them are named.
pub(crate) fn parameters<T>(pairs: Vec<(String, String)>, read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Problem> {
    let mut fields = Fields { members: Map::new(), errors: vec![] };
    for (name, value) in pairs {
        if fields.members.insert(name.clone(), Value::String(value)).is_some() {
            fields.errors.push(FieldError::new(&name, "repeated", "must not come twice"));
        }
    }
    let read = read(&mut fields);
    let strangers = fields.members.keys().map(|name| FieldError::new(name, "unknown", "is not a parameter of this resource"));
    fields.errors.extend(strangers);
    match read {
        Some(read) if fields.errors.is_empty() => Ok(read),
        _ => Err(Problem::validation(fields.errors)),
    }
}

/// A body, or a query string, that is made of members.
pub trait RequestBody: Sized {
    /// Reads all members; `None` when any of them is broken.
    fn read(fields: &mut Fields) -> Option<Self>;

    /// Reads a JSON text.
    ///
    /// # Errors
    /// 400: it is no JSON object, or members break rules; all of them are named.
    fn parse(json: &[u8]) -> Result<Self, Problem> {
        let members = match serde_json::from_slice(json) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(Problem::new(Slug::Malformed, "The body must be a JSON object.")),
            Err(e) => return Err(Problem::new(Slug::Malformed, format!("The body is not valid JSON: {e}."))),
        };
        let mut fields = Fields { members, errors: vec![] };
        Self::read(&mut fields).ok_or_else(|| Problem::validation(fields.errors))
    }
}

/// Declares a request body, or a query string: a struct whose members are [`Field`]s. A member that is called otherwise in the request
/// says so: `title_startswith("title__startswith")`.
#[macro_export]
macro_rules! request {
    ($(#[$doc:meta])* $vis:vis struct $name:ident { $($(#[$field_doc:meta])* $field_vis:vis $field:ident $(($wire:literal))?: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        $vis struct $name { $($(#[$field_doc])* $field_vis $field: $type),* }

        impl $crate::fields::RequestBody for $name {
            fn read(fields: &mut $crate::fields::Fields) -> Option<Self> {
                $(let $field = fields.take::<$type>([$($wire,)? stringify!($field)][0]);)*
                Some(Self { $($field: $field?),* })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    request! {
        /// A body.
        pub struct Order {
            /// Required.
            pub title: Text<1, 5>,
            /// Optional.
            pub note: Option<Text<0, 3>>,
            /// An id.
            pub pizza_id: Option<Uuid>,
        }
    }

    #[test]
    fn every_broken_member_is_named() {
        let problem = Order::parse(br#"{"title": 7, "note": "long", "pizza_id": "42"}"#).unwrap_err();
        let found: Vec<_> = problem.errors.iter().map(|e| (e.pointer.as_str(), e.code)).collect();
        assert_eq!(found, [("/title", "wrong_type"), ("/note", "too_long"), ("/pizza_id", "not_a_uuid")]);
        assert_eq!(Order::parse(b"{}").unwrap_err().errors[0].code, "required");
        assert_eq!(Order::parse(br#"{"title": null}"#).unwrap_err().errors[0].code, "wrong_type");
    }

    #[test]
    fn what_nobody_asked_for_is_ignored_and_null_is_absent() {
        let order = Order::parse(br#"{"title": "Pizza", "note": null, "id": 7}"#).unwrap();
        assert_eq!((order.title.as_str(), order.note, order.pizza_id), ("Pizza", None, None));
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for bad in [&b"["[..], b"[]", b"", b"\xff", b"{\"title\":\"a\"}x"] {
            assert_eq!(Order::parse(bad).unwrap_err().slug, Slug::Malformed);
        }
    }
}
