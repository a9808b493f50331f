//! Which of several events a fold cannot cope with, when all that is known is that it is one of them: tried with ever fewer.

/// The search for it, in a row of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// So many are folded.
    good: usize,
    /// So many are not.
    bad: usize,
}

impl Culprit {
    /// Of so many events the fold cannot cope with all.
    #[must_use]
    pub const fn among(events: usize) -> Self {
        Self { good: 0, bad: events }
    }

    /// How many are to be tried next; `None`: it is found.
    #[must_use]
    pub fn next_try(&self) -> Option<usize> {
        (self.bad - self.good > 1).then(|| usize::midpoint(self.good, self.bad))
    }

    /// So many were tried.
    pub fn tried(&mut self, events: usize, folded: bool) {
        if folded { self.good = events } else { self.bad = events }
    }

    /// Which it is, once it is found.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.bad - 1
    }
}

#[cfg(test)]
mod tests {
    use super::Culprit;

    #[test]
    fn the_first_event_that_cannot_be_folded_is_found_wherever_it_is() {
        for events in 1..40 {
            for broken in 0..events {
                let (mut culprit, mut tries) = (Culprit::among(events), 0);
                while let Some(upto) = culprit.next_try() {
                    culprit.tried(upto, upto <= broken);
                    tries += 1;
                }
                assert_eq!(culprit.index(), broken);
                assert!(tries <= 6, "{tries} tries among {events}");
            }
        }
    }
}
