//! The log is split into partitions; order exists only inside one.

use sqlx::{
    Database, Decode, Encode, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgHasArrayType, PgTypeInfo},
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// How many there are. Written in the store when it is made; another number would change where streams live.
pub const PARTITIONS: u16 = 16;

/// One of them, 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A whole number in either database.
impl<DB: Database> Type<DB> for Partition
where
    i32: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        i32::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        i32::compatible(ty)
    }
}

impl<'q, DB: Database> Encode<'q, DB> for Partition
where
    i32: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        i32::from(self.0).encode(buffer)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for Partition
where
    i32: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let number = i32::decode(value)?;
        u16::try_from(number).ok().and_then(Self::new).ok_or_else(|| format!("there is no partition {number}").into())
    }
}

impl PgHasArrayType for Partition {
    fn array_type_info() -> PgTypeInfo {
        i32::array_type_info()
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
