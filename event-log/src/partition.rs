//! The log is split into partitions; order exists only inside one.

use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// How many there are. Written in the store when it is made; another number would change where streams live.
pub const PARTITIONS: u16 = 16;

/// One of them, 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Partition(u16);

impl Partition {
    /// Where the streams of `subject` live: all that concerns one user is in one order.
    #[must_use]
    pub fn of(subject: Uuid) -> Self {
        Self((xxh3_64(subject.as_bytes()) % u64::from(PARTITIONS)) as u16)
    }

    /// The partition numbered `n`, if there is one.
    #[must_use]
    pub fn new(n: u16) -> Option<Self> {
        (n < PARTITIONS).then_some(Self(n))
    }

    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self)
    }

    /// 0 to 15.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// For tables that have a place a partition.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored streams would be looked for in the wrong partition if this changed.
    #[test]
    fn a_subject_stays_in_its_partition_for_ever() {
        let of = |n: u128| Partition::of(Uuid::from_u128(n)).number();
        assert_eq!([of(0), of(1), of(2), of(3), of(u128::MAX)], [8, 11, 15, 3, 3]);
    }
}
