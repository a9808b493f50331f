//! Histories as the domain writes them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use event_log::{Actor, Metadata, NewEvent, Partition, Position, Recorded, Version};
use events::{
    Pii, PizzaEvent, PizzaId, PizzeriaEvent, PizzeriaId, ReactionEvent, ReactionId, SuperuserEvent, UserEvent, UserId, Vocabulary,
    ids::{CredentialId, superusers},
    likes::Reaction,
    pizzas::{Diet, PizzaDeletion},
    pizzerias::PizzeriaClosure,
    users::{Settings, UserDeletion},
};
use uuid::Uuid;

/// The last two share a partition, the others have one each.
const USERS: [u128; 4] = [1, 2, 3, u128::MAX];
/// As hard to write to a table as to read back.
const TITLES: [&str; 6] = ["Margherita", "naïve \"🍕\" \\ \n", "null", "{\"$pii\":1}", "007", "'; --"];
const DIETS: [Option<Diet>; 3] = [None, Some(Diet::Vegan), Some(Diet::Meat)];

/// What somebody does. Users, places and pizzas are numbered; pizza n is baked at place n / 2, and place n is user n's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    SignUp(usize),
    DeleteAccount(usize),
    MakeSuperuser(usize),
    ChangePassword(usize),
    ChangeProfile(usize, usize),
    SetStaff(usize, bool),
    ShutOut(usize, bool),
    Open(usize),
    ChangePlace(usize, usize),
    Close(usize),
    Create(usize),
    ChangePizza(usize, usize),
    Approve(usize),
    WithdrawApproval(usize),
    TakeOff(usize),
    React(usize, usize, Option<Reaction>),
}
use Act::{
    Approve, ChangePassword, ChangePizza, ChangePlace, ChangeProfile, Close, Create, DeleteAccount, MakeSuperuser, Open, React, SetStaff,
    ShutOut, SignUp, TakeOff, WithdrawApproval,
};

pub fn user(n: usize) -> UserId {
    UserId(Uuid::from_u128(USERS[n]))
}

pub fn place(n: usize) -> PizzeriaId {
    PizzeriaId(Uuid::from_u128(100 + n as u128))
}

pub fn pizza(n: usize) -> PizzaId {
    PizzaId(Uuid::from_u128(200 + n as u128))
}

/// An event, and where it goes.
#[derive(Clone, Debug)]
pub struct Happened {
    pub kind: &'static str,
    pub stream_id: Uuid,
    pub subject: Uuid,
    pub version: Version,
    pub event: NewEvent,
}

impl Happened {
    pub fn of<E: Vocabulary>(stream_id: impl Into<Uuid>, subject: impl Into<Uuid>, event: &E) -> Self {
        let events::EventType { name, schema_version } = event.kind_of_event();
        let event = NewEvent { event_id: Uuid::now_v7(), event_type: name, schema_version, payload: event.encode() };
        Self { kind: E::KIND, stream_id: stream_id.into(), subject: subject.into(), version: 1, event }
    }

    pub fn partition(&self) -> Partition {
        Partition::of(self.subject)
    }

    pub fn metadata(&self) -> Metadata {
        Metadata {
            actor: Actor::User(self.subject),
            subject_id: Some(self.subject),
            correlation_id: "test".into(),
            causation_id: None,
            traceparent: None,
        }
    }

    /// Times have whole seconds, milliseconds and microseconds.
    fn recorded(&self, position: Position) -> Recorded {
        Recorded {
            partition: self.partition(),
            position,
            event_id: Uuid::from_u128(u128::from(self.partition().number()) << 64 | position as u128),
            stream_id: self.stream_id,
            version: self.version,
            event_type: self.event.event_type.into(),
            schema_version: self.event.schema_version,
            payload: self.event.payload.clone(),
            metadata: self.metadata(),
            recorded_at: DateTime::UNIX_EPOCH + TimeDelta::microseconds(position * 500_000 + position % 3),
        }
    }
}

/// What was done, and the event of each act.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub acts: Vec<Act>,
    pub events: Vec<Happened>,
}

impl History {
    pub fn of(acts: &[Act]) -> Self {
        let mut history = Self::default();
        for act in acts {
            history.act(*act);
        }
        history
    }

    /// Does what is possible, and before it what it presumes. Whether it is done now, or was before.
    pub fn act(&mut self, act: Act) -> bool {
        let once = matches!(act, SignUp(_) | DeleteAccount(_) | MakeSuperuser(_) | Open(_) | Close(_) | Create(_) | TakeOff(_));
        if once && self.did(act) {
            return true;
        }
        let possible = match act {
            SignUp(_) => true,
            DeleteAccount(user) => self.act(SignUp(user)),
            MakeSuperuser(user) | ChangePassword(user) | Open(user) => self.has_account(user),
            ChangeProfile(user, _) | SetStaff(user, _) | ShutOut(user, _) => self.has_account(user),
            ChangePlace(place, _) => self.has_account(place) && self.act(Open(place)) && !self.did(Close(place)),
            Close(place) => self.act(Open(place)),
            Create(pizza) => self.has_account(pizza / 2) && self.act(Open(pizza / 2)) && !self.did(Close(pizza / 2)),
            Approve(pizza) | WithdrawApproval(pizza) | ChangePizza(pizza, _) | TakeOff(pizza) => {
                self.act(Create(pizza)) && !self.did(TakeOff(pizza))
            }
            React(user, pizza, _) => self.has_account(user) && self.act(Create(pizza)),
        };
        if possible {
            let mut happened = happened(act);
            happened.version += self.events.iter().filter(|earlier| earlier.stream_id == happened.stream_id).count() as Version;
            self.acts.push(act);
            self.events.push(happened);
        }
        possible
    }

    fn did(&self, act: Act) -> bool {
        self.acts.contains(&act)
    }

    fn has_account(&mut self, user: usize) -> bool {
        !self.did(DeleteAccount(user)) && self.act(SignUp(user))
    }

    /// As the log would hold it.
    pub fn partitions(&self) -> BTreeMap<Partition, Vec<Recorded>> {
        let mut partitions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for happened in &self.events {
            let events = partitions.entry(happened.partition()).or_default();
            events.push(happened.recorded(events.len() as Position + 1));
        }
        partitions
    }

    /// As the log reads when the keys of the deleted users are destroyed.
    pub fn erased(&self) -> Self {
        let deleted = |user: Uuid| (0..USERS.len()).any(|n| self.did(DeleteAccount(n)) && self::user(n).0 == user);
        let mut erased = self.clone();
        for happened in erased.events.iter_mut().filter(|happened| deleted(happened.subject)) {
            let mut payload: serde_json::Value = serde_json::from_str(&happened.event.payload).unwrap();
            for member in payload.as_object_mut().unwrap().values_mut().filter(|member| member.get("$pii").is_some()) {
                *member = serde_json::json!({"$shredded": true});
            }
            happened.event.payload = payload.to_string();
        }
        erased
    }
}

/// The event of an act.
pub fn happened(act: Act) -> Happened {
    let pii = |text: &str, n: usize| Pii::Clear(format!("{text} {n}"));
    let of_place = |n: usize, event| Happened::of(place(n), user(n), &event);
    let of_pizza = |n: usize, event| Happened::of(pizza(n), user(n / 2), &event);
    match act {
        SignUp(n) => {
            let email = (n == 1).then(|| pii("e", n));
            let (user_id, username, credential_id) = (user(n), pii("Name", n), CredentialId(Uuid::nil()));
            let event = UserEvent::UserSignedUp { user_id, credential_id, username, email, first_name: None, last_name: None };
            Happened::of(user_id, user_id, &event)
        }
        DeleteAccount(n) => {
            Happened::of(user(n), user(n), &UserEvent::UserDeleted { user_id: user(n), reason: UserDeletion::SelfRequested })
        }
        MakeSuperuser(n) => Happened::of(superusers(), superusers(), &SuperuserEvent::SuperuserGranted { user_id: user(n) }),
        ChangePassword(n) => Happened::of(user(n), user(n), &UserEvent::PasswordChanged { credential_id: CredentialId(Uuid::nil()) }),
        ChangeProfile(n, k) => {
            let name = |part: usize| [None, Some(None), Some(Some(pii("New", k)))][(k + part) % 3].clone();
            let settings = Settings { mail_on_meetup: k % 2 == 0, ..Settings::default() };
            let settings = (k % 2 == 1).then_some(settings);
            let event = UserEvent::ProfileChanged { email: name(0), first_name: name(1), last_name: name(2), settings };
            Happened::of(user(n), user(n), &event)
        }
        SetStaff(n, true) => Happened::of(user(n), user(n), &UserEvent::StaffGranted {}),
        SetStaff(n, false) => Happened::of(user(n), user(n), &UserEvent::StaffRevoked {}),
        ShutOut(n, true) => Happened::of(user(n), user(n), &UserEvent::UserSuspended { reason: None }),
        ShutOut(n, false) => Happened::of(user(n), user(n), &UserEvent::UserReinstated {}),
        ChangePlace(n, k) => {
            let (name, address) = ((k % 2 == 0).then(|| format!("Da {k}")), (k % 3 == 0).then(|| pii("Corso", k)));
            of_place(n, PizzeriaEvent::PizzeriaChanged { name, address, phone: None })
        }
        ChangePizza(n, k) => {
            let (title, diet) = ((k % 2 == 0).then(|| TITLES[k % 6].into()), (k % 3 == 0).then_some(DIETS[k % 3]));
            of_pizza(n, PizzaEvent::PizzaChanged { title, description: None, thumbnail_url: (k % 4 == 1).then_some(None), diet })
        }
        Open(n) => {
            let (pizzeria_id, owner_id, name) = (place(n), user(n), "Da Mario".into());
            of_place(n, PizzeriaEvent::PizzeriaOpened { pizzeria_id, owner_id, name, address: pii("Via", n), phone: pii("+39", n) })
        }
        Close(n) => of_place(n, PizzeriaEvent::PizzeriaClosed { reason: PizzeriaClosure::Staff }),
        Create(n) => {
            let (pizza_id, pizzeria_id, title, diet) = (pizza(n), place(n / 2), TITLES[n].into(), DIETS[n % 3]);
            let thumbnail_url = (n % 2 == 1).then(|| "https://example.org/".into());
            of_pizza(n, PizzaEvent::PizzaCreated { pizza_id, pizzeria_id, title, description: "".into(), thumbnail_url, diet })
        }
        Approve(n) => of_pizza(n, PizzaEvent::PizzaApproved {}),
        WithdrawApproval(n) => of_pizza(n, PizzaEvent::PizzaApprovalWithdrawn { reason: None }),
        TakeOff(n) => of_pizza(n, PizzaEvent::PizzaDeleted { pizza_id: pizza(n), reason: PizzaDeletion::Owner }),
        React(by, of, reaction) => {
            let (user_id, pizza_id, pizzeria_id) = (user(by), pizza(of), place(of / 2));
            let event = match reaction {
                Some(Reaction::Like) => ReactionEvent::PizzaLiked { user_id, pizza_id, pizzeria_id },
                Some(Reaction::Dislike) => ReactionEvent::PizzaDisliked { user_id, pizza_id, pizzeria_id },
                None => ReactionEvent::PizzaReactionWithdrawn { user_id, pizza_id, pizzeria_id },
            };
            Happened::of(ReactionId::of(user_id, pizza_id), user_id, &event)
        }
    }
}
