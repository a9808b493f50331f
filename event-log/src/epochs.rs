//! Epochs of the log. A restore from a backup begins a new one, so that what was promised of positions that the backup does not have is not
//! mistaken for what is written there later.

use chrono::Utc;
use database::{Database, on};

use crate::{Heads, LogStore, Partition, Position};

/// Where epochs begin. The first one has number 1 and begins with the log; each later one has the time when it began, in seconds since 1970:
/// a number that was given after the backup was made is not known there, and must not be given again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs(Vec<(u32, Heads)>);

const FIRST: u32 = 1;

impl Epochs {
    /// The number of today's.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.0.last().map_or(FIRST, |(number, _)| *number)
    }

    /// Whether no restore has begun another one yet.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.0.is_empty()
    }

    /// Which one an event belongs to.
    #[must_use]
    pub fn of(&self, partition: Partition, position: Position) -> u32 {
        let begun = self.0.iter().rfind(|(_, starts)| position > starts[partition.index()]);
        begun.map_or(FIRST, |(number, _)| *number)
    }

    /// Up to where the log is still what it was in an epoch, in each partition; `None`: that epoch is today's.
    #[must_use]
    pub fn kept_since(&self, epoch: u32) -> Option<Heads> {
        let later = self.0.iter().filter(|(number, _)| *number > epoch).map(|(_, starts)| *starts);
        later.reduce(|least, starts| std::array::from_fn(|partition| least[partition].min(starts[partition])))
    }
}

impl LogStore {
    /// The log's epochs.
    ///
    /// # Errors
    /// The database's own.
    pub async fn epochs(&self) -> Result<Epochs, sqlx::Error> {
        epochs(&self.database).await
    }

    /// Begins an epoch behind what is there now; the answer is all of them. Nobody else may have the log open.
    ///
    /// # Errors
    /// The database's own.
    pub async fn new_epoch(&self) -> Result<Epochs, sqlx::Error> {
        let mut tx = self.database.begin().await?;
        let sql = "insert into epochs (epoch, partition, start)
                   select case when max(known.epoch) >= $1 then max(known.epoch) + 1 else $1 end, heads.partition, heads.position
                   from heads left join epochs known on true group by heads.partition, heads.position";
        let now = Utc::now().timestamp();
        on!(&mut tx, |db| sqlx::query(sql).bind(now).execute(&mut **db).await.map(drop))?;
        tx.commit().await?;
        self.epochs().await
    }
}

pub(crate) async fn epochs(database: &Database) -> Result<Epochs, sqlx::Error> {
    let sql = "select epoch, partition, start from epochs order by epoch, partition";
    let rows: Vec<(i64, Partition, Position)> = on!(&database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?;
    let mut epochs = Epochs::default();
    for (number, partition, start) in rows {
        let number = u32::try_from(number).map_err(|e| sqlx::Error::Decode(e.into()))?;
        if epochs.0.last().is_none_or(|(last, _)| *last != number) {
            epochs.0.push((number, Heads::default()));
        }
        if let Some((_, starts)) = epochs.0.last_mut() {
            starts[partition.index()] = start;
        }
    }
    Ok(epochs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_belongs_to_the_epoch_in_which_it_was_written() {
        let partition = Partition::new(3).unwrap();
        let starts = |position| {
            let mut starts = Heads::default();
            starts[3] = position;
            starts
        };
        // 200 wrote up to 20 until a backup was restored that ended at 7, and knew nothing of 100, which had begun at 10.
        let epochs = Epochs(vec![(100, starts(10)), (200, starts(7)), (300, starts(20))]);
        let of = |position| epochs.of(partition, position);
        assert_eq!(epochs.current(), 300);
        assert_eq!((of(1), of(7), of(8), of(20), of(21)), (1, 1, 200, 200, 300));
        assert_eq!(epochs.kept_since(300), None);
        assert_eq!([1, 100, 200].map(|epoch| epochs.kept_since(epoch).unwrap()[3]), [7, 7, 20]);
        assert_eq!((Epochs::default().of(partition, 5), Epochs::default().current()), (1, 1));
    }
}
