//! What may stand on a card.

use events::pizzas::Diet;
use serde_json::Value;
use service_kit::{
    fields::{Broken, Change, Field, Patch},
    request,
    text::Text,
};
use uuid::Uuid;

use super::{Details, DetailsChange};

/// What it is called.
pub type Title = Text<1, 120>;
/// What is on it.
pub type Description = Text<1, 240>;

/// A link to a picture: http or https, at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThumbnailUrl(String);

impl Field for ThumbnailUrl {
    fn read(value: &Value) -> Result<Self, Broken> {
        let text = String::from(Text::<1, 200>::read(value)?);
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let whole = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) && !text.contains(char::is_whitespace);
        if whole { Ok(Self(text)) } else { Err(Broken::new("not_a_url", "must be an http or https URL")) }
    }
}

impl From<ThumbnailUrl> for String {
    fn from(url: ThumbnailUrl) -> Self {
        url.0
    }
}

/// What it is free of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DietField(pub Diet);

impl Field for DietField {
    fn read(value: &Value) -> Result<Self, Broken> {
        let known = serde_json::from_value(value.clone());
        known.map(Self).map_err(|_| Broken::new("unknown", "must be meat, vegetarian, vegan or null"))
    }
}

request! {
    /// `POST /api/v1/pizzas`, `PUT /api/v1/pizzas/{id}`
    pub struct WholePizza {
        /// Its name on the card.
        pub title: Title,
        /// What is on it.
        pub description: Description,
        /// Where it is baked; may be left out by an owner of exactly one place, and of a pizza that is there already.
        pub pizzeria_id: Option<Uuid>,
        /// A picture.
        pub thumbnail_url: Option<ThumbnailUrl>,
        /// What it is free of.
        pub diet: Option<DietField>,
    }
}

request! {
    /// `PATCH /api/v1/pizzas/{id}` (RFC 7396)
    pub struct PizzaPatch {
        /// Its name on the card.
        pub title: Change<Title>,
        /// What is on it.
        pub description: Change<Description>,
        /// A picture.
        pub thumbnail_url: Patch<ThumbnailUrl>,
        /// What it is free of.
        pub diet: Patch<DietField>,
    }
}

request! {
    /// `DELETE /api/v1/pizzas/{id}/approval`; the body may be left out.
    pub struct Withdrawal {
        /// What is wrong with it.
        pub reason: Option<Text<0, 240>>,
    }
}

impl From<WholePizza> for Details {
    fn from(pizza: WholePizza) -> Self {
        Self {
            title: pizza.title.into(),
            description: pizza.description.into(),
            thumbnail_url: pizza.thumbnail_url.map(Into::into),
            diet: pizza.diet.map(|DietField(diet)| diet),
        }
    }
}

impl From<PizzaPatch> for DetailsChange {
    fn from(patch: PizzaPatch) -> Self {
        Self {
            title: patch.title.0.map(Into::into),
            description: patch.description.0.map(Into::into),
            thumbnail_url: patch.thumbnail_url.wish().map(|url| url.map(Into::into)),
            diet: patch.diet.wish().map(|diet| diet.map(|DietField(diet)| diet)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pictures_are_on_the_web() {
        for good in ["http://x", "https://example.org/a.jpg?b=c"] {
            assert!(ThumbnailUrl::read(&json!(good)).is_ok(), "{good}");
        }
        for bad in ["", "ftp://x", "javascript:alert(1)", "https://", "https:///x", "https://a b", &format!("https://{}", "x".repeat(200))]
        {
            assert!(ThumbnailUrl::read(&json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn diets_are_three() {
        assert_eq!(DietField::read(&json!("vegan")), Ok(DietField(Diet::Vegan)));
        assert!(DietField::read(&json!("fruit")).is_err() && DietField::read(&json!(1)).is_err());
    }
}
