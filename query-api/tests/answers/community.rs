//! A small community, as the log would hold it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use event_log::{Actor, Metadata, Partition, Position, Recorded};
use events::{
    Pii, PizzaEvent, PizzaId, PizzeriaEvent, PizzeriaId, ReactionEvent, ReactionId, SuperuserEvent, UserEvent, UserId, Vocabulary,
    ids::{CredentialId, superusers},
    pizzas::{Diet, PizzaDeletion},
    pizzerias::PizzeriaClosure,
};
use uuid::Uuid;

pub const ADA: UserId = UserId(Uuid::from_u128(1));
/// Owns the places.
pub const LUIGI: UserId = UserId(Uuid::from_u128(2));
/// Of the staff.
pub const SUE: UserId = UserId(Uuid::from_u128(3));
/// The superuser.
pub const ROOT: UserId = UserId(Uuid::from_u128(4));
pub const USERS: [(UserId, &str); 4] = [(ADA, "Ada"), (LUIGI, "luigi_1"), (SUE, "Ærø"), (ROOT, "_root")];

pub const fn place(n: u128) -> PizzeriaId {
    PizzeriaId(Uuid::from_u128(100 + n))
}

pub const fn pizza(n: u128) -> PizzaId {
    PizzaId(Uuid::from_u128(200 + n))
}

/// In the order in which only bytes sort them; the last one is closed.
const PLACES: [&str; 4] = ["Z", "a", "É", "closed"];
/// The last but one is not approved, the last one is deleted.
const PIZZAS: [&str; 7] = ["Zola", "_", "alba", "alba", "über", "unapproved", "deleted"];
/// How often a user changes what they think of a pizza, in the end in favour of it unless told.
const REACTIONS: [(UserId, u128, usize); 8] =
    [(ADA, 0, 1), (ADA, 1, 2), (ADA, 2, 3), (LUIGI, 0, 1), (SUE, 0, 2), (SUE, 3, 1), (ROOT, 4, 2), (ADA, 6, 1)];

#[derive(Default)]
struct History(Vec<Recorded>);

impl History {
    /// Two events in a row happen at the same time.
    fn add<E: Vocabulary>(&mut self, stream: impl Into<Uuid>, subject: impl Into<Uuid>, event: &E) {
        let (stream_id, partition) = (stream.into(), Partition::of(subject.into()));
        let events::EventType { name, schema_version } = event.kind_of_event();
        let count = |same: &dyn Fn(&Recorded) -> bool| self.0.iter().filter(|event| same(event)).count() as Position + 1;
        let recorded = Recorded {
            partition,
            position: count(&|event| event.partition == partition),
            event_id: Uuid::from_u128(1_000 + self.0.len() as u128),
            stream_id,
            version: count(&|event| event.stream_id == stream_id),
            event_type: name.into(),
            schema_version,
            payload: event.encode(),
            metadata: Metadata {
                actor: Actor::Anonymous,
                subject_id: None,
                correlation_id: "test".into(),
                causation_id: None,
                traceparent: None,
            },
            recorded_at: DateTime::UNIX_EPOCH + TimeDelta::microseconds(self.0.len() as i64 / 2 * 100_001),
        };
        self.0.push(recorded);
    }

    fn people(&mut self) {
        for (user_id, name) in USERS {
            let (username, credential_id) = (Pii::Clear(name.into()), CredentialId(Uuid::nil()));
            let (email, first_name) = (Some(Pii::Clear(format!("{name}@example.org"))), Some(Pii::Clear("A".into())));
            self.add(user_id, user_id, &UserEvent::UserSignedUp { user_id, credential_id, username, email, first_name, last_name: None });
        }
        self.add(SUE, SUE, &UserEvent::StaffGranted {});
        self.add(superusers(), superusers(), &SuperuserEvent::SuperuserGranted { user_id: ROOT });
        self.add(ADA, ADA, &UserEvent::PasswordChanged { credential_id: CredentialId(Uuid::nil()) });
    }

    fn card(&mut self) {
        for (n, name) in (0..).zip(PLACES) {
            let (address, phone) = (Pii::Clear("Via Roma".into()), Pii::Clear("+39".into()));
            let opened = PizzeriaEvent::PizzeriaOpened { pizzeria_id: place(n), owner_id: LUIGI, name: name.into(), address, phone };
            self.add(place(n), LUIGI, &opened);
        }
        for (n, title) in (0..).zip(PIZZAS) {
            let diet = [None, Some(Diet::Vegan), Some(Diet::Meat)][n as usize % 3];
            let (pizza_id, pizzeria_id, description) = (pizza(n), place(n % 3), "naïve \"🍕\" \\ \n".into());
            let thumbnail_url = (n == 1).then(|| "https://example.org/".into());
            let created = PizzaEvent::PizzaCreated { pizza_id, pizzeria_id, title: title.into(), description, thumbnail_url, diet };
            self.add(pizza_id, LUIGI, &created);
            if title != "unapproved" {
                self.add(pizza_id, LUIGI, &PizzaEvent::PizzaApproved {});
            }
        }
    }

    fn opinions(&mut self) {
        for (user_id, n, times) in REACTIONS {
            let (pizza_id, pizzeria_id) = (pizza(n), place(n % 3));
            for left in (0..times).rev() {
                let event = match left % 2 {
                    0 => ReactionEvent::PizzaLiked { user_id, pizza_id, pizzeria_id },
                    _ => ReactionEvent::PizzaDisliked { user_id, pizza_id, pizzeria_id },
                };
                self.add(ReactionId::of(user_id, pizza_id), user_id, &event);
            }
        }
    }
}

/// All of it, by partition.
pub fn history() -> BTreeMap<Partition, Vec<Recorded>> {
    let mut history = History::default();
    history.people();
    history.card();
    history.opinions();
    history.add(pizza(6), LUIGI, &PizzaEvent::PizzaDeleted { pizza_id: pizza(6), reason: PizzaDeletion::Owner });
    history.add(place(3), LUIGI, &PizzeriaEvent::PizzeriaClosed { reason: PizzeriaClosure::Owner });
    let mut partitions: BTreeMap<Partition, Vec<Recorded>> = BTreeMap::new();
    for event in history.0 {
        partitions.entry(event.partition).or_default().push(event);
    }
    partitions
}
