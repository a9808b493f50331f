//! Links, as far as their number matters.

use std::collections::HashSet;

use uuid::Uuid;

/// The links of one kind under one key.
pub type LinkKey = (&'static str, Uuid);

/// The links under a key whose number matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// How many there are.
    pub count: i64,
    /// Which of the batch's own streams are among them: a link is there once, and one that is not there does not go.
    there: HashSet<Uuid>,
}

impl Linked {
    pub fn new(count: i64, there: impl IntoIterator<Item = Uuid>) -> Self {
        Self { count, there: there.into_iter().collect() }
    }

    /// A link is made or taken away.
    pub fn change(&mut self, stream_id: Uuid, present: bool) {
        if present {
            self.count += i64::from(self.there.insert(stream_id));
        } else {
            self.count -= i64::from(self.there.remove(&stream_id));
        }
    }
}
