//! Unique names.

use event_log::{Claim, ClaimChange, ClaimKey};
use service_kit::{Problem, Slug};

use crate::App;

/// What is unique among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// Of an account.
    Username,
    /// Of an account.
    Email,
}

/// A unique name, folded: two that differ only in case are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Among which it is unique.
    pub kind: NameKind,
    /// Folded.
    pub folded: String,
}

/// A name taken or given back by an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameChange {
    /// From now on it is this stream's.
    Take(Name),
    /// It is free again.
    GiveBack(Name),
}

impl Name {
    /// Folds a name.
    #[must_use]
    pub fn new(kind: NameKind, name: &str) -> Self {
        Self { kind, folded: events::users::fold(name) }
    }

    /// What a command that wanted a taken name is told.
    pub(crate) fn taken(&self) -> Problem {
        match self.kind {
            NameKind::Username => Problem::new(Slug::UsernameTaken, "This username is taken."),
            NameKind::Email => Problem::new(Slug::EmailTaken, "This e-mail address is taken."),
        }
    }
}

impl NameChange {
    pub(crate) const fn name(&self) -> &Name {
        match self {
            Self::Take(name) | Self::GiveBack(name) => name,
        }
    }
}

impl App {
    /// The name as the log keeps it.
    pub(crate) fn claim(&self, name: &Name) -> Claim {
        claim(&self.claim_key, name)
    }

    /// The change as the log keeps it.
    pub(crate) fn claim_change(&self, change: &NameChange) -> ClaimChange {
        claim_change(&self.claim_key, change)
    }
}

fn claim(key: &ClaimKey, name: &Name) -> Claim {
    let kind = match name.kind {
        NameKind::Username => "username",
        NameKind::Email => "email",
    };
    key.claim(kind, &name.folded)
}

/// The change as a log with this key keeps it.
pub(crate) fn claim_change(key: &ClaimKey, change: &NameChange) -> ClaimChange {
    match change {
        NameChange::Take(name) => ClaimChange::Take(claim(key, name)),
        NameChange::GiveBack(name) => ClaimChange::GiveBack(claim(key, name)),
    }
}
