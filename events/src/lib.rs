//! The vocabulary: what has happened in Tizza, as the log keeps it.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`ids`] | a type for each kind of id, and how derived ids are made |
//! | [`pii`] | personal values, which an erasure makes unreadable |
//! | [`mod@vocabulary`] | how an event is written and read: types, schema versions, upcasters |
//! | [`users`], [`pizzerias`], [`pizzas`], [`likes`] | the events of each slice |
//!
//! Every stored shape has a golden file in `golden/` that must decode for ever.

pub mod ids;
pub mod likes;
pub mod pii;
pub mod pizzas;
pub mod pizzerias;
pub mod users;
pub mod vocabulary;

pub use ids::{PizzaId, PizzeriaId, ReactionId, UserId};
pub use likes::ReactionEvent;
pub use pii::Pii;
pub use pizzas::PizzaEvent;
pub use pizzerias::PizzeriaEvent;
pub use users::{SuperuserEvent, UserEvent};
pub use vocabulary::{DecodeError, EventType, Vocabulary};

/// Any event of any slice, for those who read the whole log.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Of one person's account.
    User(UserEvent),
    /// Of the one list of superusers.
    Superuser(SuperuserEvent),
    /// Of a place.
    Pizzeria(PizzeriaEvent),
    /// Of a pizza.
    Pizza(PizzaEvent),
    /// Of what one user thinks of one pizza.
    Reaction(ReactionEvent),
}

impl Event {
    /// Reads a stored event of any slice, bringing an old schema version up to today's.
    ///
    /// # Errors
    /// The type is unknown, its schema version is newer than this program, or the payload is not what the type says.
    pub fn decode(name: &str, schema_version: u32, payload: &str) -> Result<Self, DecodeError> {
        fn slice<E: Vocabulary>(name: &str, version: u32, payload: &str, wrap: fn(E) -> Event) -> Option<Result<Event, DecodeError>> {
            E::knows(name).then(|| E::decode(name, version, payload).map(wrap))
        }
        slice(name, schema_version, payload, Self::User)
            .or_else(|| slice(name, schema_version, payload, Self::Superuser))
            .or_else(|| slice(name, schema_version, payload, Self::Pizzeria))
            .or_else(|| slice(name, schema_version, payload, Self::Pizza))
            .or_else(|| slice(name, schema_version, payload, Self::Reaction))
            .unwrap_or_else(|| Err(DecodeError::UnknownType { name: name.into() }))
    }
}

impl Event {
    /// All types that are written today.
    pub fn types() -> impl Iterator<Item = EventType> {
        let slices = [UserEvent::TYPES, SuperuserEvent::TYPES, PizzeriaEvent::TYPES, PizzaEvent::TYPES, ReactionEvent::TYPES];
        slices.into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(event: EventType, schema_version: u32) -> String {
        let path = format!("{}/golden/{}.{schema_version}.json", env!("CARGO_MANIFEST_DIR"), event.name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")).trim().to_owned()
    }

    fn every_stored_shape_is_read_and_todays_is_written<E: Vocabulary>() {
        for &event in E::TYPES {
            for version in 1..=event.schema_version {
                let stored = golden(event, version);
                let read = E::decode(event.name, version, &stored).unwrap_or_else(|e| panic!("{} {version}: {e:?}", event.name));
                assert_eq!(read.kind_of_event(), event);
                assert!(Event::decode(event.name, version, &stored).is_ok(), "Event::decode does not know {}", event.name);
                if version == event.schema_version {
                    assert_eq!(read.encode(), stored);
                }
            }
        }
    }

    #[test]
    fn every_stored_shape_of_every_slice_still_decodes() {
        every_stored_shape_is_read_and_todays_is_written::<UserEvent>();
        every_stored_shape_is_read_and_todays_is_written::<SuperuserEvent>();
        every_stored_shape_is_read_and_todays_is_written::<PizzeriaEvent>();
        every_stored_shape_is_read_and_todays_is_written::<PizzaEvent>();
        every_stored_shape_is_read_and_todays_is_written::<ReactionEvent>();
    }

    #[test]
    fn a_pizza_from_before_diets_has_none() {
        let created = PizzaEvent::find("PizzaCreated").unwrap();
        let PizzaEvent::PizzaCreated { diet, title, .. } = PizzaEvent::decode("PizzaCreated", 1, &golden(created, 1)).unwrap() else {
            panic!("another event");
        };
        assert_eq!((diet, title.as_str()), (None, "Margherita"));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert!(matches!(Event::decode("PizzaBurnt", 1, "{}"), Err(DecodeError::UnknownType { .. })));
        assert!(matches!(Event::decode("PizzaLiked", 9, "{}"), Err(DecodeError::Newer { found: 9, known: 1, .. })));
        assert!(matches!(Event::decode("PizzaLiked", 1, "{}"), Err(DecodeError::Payload { name: "PizzaLiked", .. })));
    }
}
