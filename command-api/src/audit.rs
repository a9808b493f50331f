//! What events mean to the log's own tables: the names and links that follow from each, told anew from the history alone.

use std::collections::HashMap;

use event_log::{
    ClaimKey, Recorded,
    verify::{Effects, Meaning},
};
use events::{Event, ReactionEvent, SuperuserEvent, Vocabulary};
use uuid::Uuid;

use crate::{
    executor::Decider,
    names::{NameChange, claim_change},
    pizzas::Pizza,
    pizzerias::Pizzeria,
    users::User,
};

/// Folds a whole log.
pub struct Audit {
    claim_key: ClaimKey,
    users: HashMap<Uuid, User>,
    pizzerias: HashMap<Uuid, Pizzeria>,
    pizzas: HashMap<Uuid, Pizza>,
}

impl Audit {
    /// Of a log that was written with this key.
    #[must_use]
    pub fn new(claim_key: ClaimKey) -> Self {
        Self { claim_key, users: HashMap::new(), pizzerias: HashMap::new(), pizzas: HashMap::new() }
    }
}

impl Meaning for Audit {
    fn read(&mut self, recorded: &Recorded) -> Result<Effects, String> {
        let event = Event::decode(&recorded.event_type, recorded.schema_version, &recorded.payload).map_err(|e| e.to_string())?;
        let (id, key) = (recorded.stream_id, &self.claim_key);
        Ok(match event {
            Event::User(event) => effects(self.users.entry(id).or_default(), event, key),
            Event::Pizzeria(event) => effects(self.pizzerias.entry(id).or_default(), event, key),
            Event::Pizza(event) => effects(self.pizzas.entry(id).or_default(), event, key),
            // Neither takes names or makes links, so their states need not be known.
            Event::Superuser(_) => nothing(SuperuserEvent::KIND),
            Event::Reaction(_) => nothing(ReactionEvent::KIND),
        })
    }
}

const fn nothing(kind: &'static str) -> Effects {
    Effects { kind, claims: vec![], links: vec![] }
}

fn effects<A: Decider>(state: &mut A, event: A::Event, key: &ClaimKey) -> Effects {
    let names: Vec<NameChange> = state.names(&event);
    let links = state.links(&event);
    state.evolve(event);
    Effects { kind: A::Event::KIND, claims: names.iter().map(|change| claim_change(key, change)).collect(), links }
}
