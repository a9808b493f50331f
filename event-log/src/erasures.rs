//! Erasing a person by destroying their key; and the list of the erased in a file that no backup of a store holds: a key store that was restored
//! is erased again by it.
//!
//! A line of the list is a time (RFC 3339) and a subject. It is written before the key is destroyed, so a line too many is possible and harmless, one too
//! few is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use chrono::{DateTime, SecondsFormat, Utc};
use database::{Either, Pool, on};
use uuid::Uuid;

use crate::Keys;

/// Where the list is.
#[derive(Clone, Debug)]
pub struct Erasures(PathBuf);

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ErasuresError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is another file.
    #[error("{}: line {line} is no time and subject", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The key store failed.
    #[error("the key store's database failed")]
    Database(#[from] sqlx::Error),
}

impl Erasures {
    /// In this file.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Adds a line, durably. One that was cut off before it is ended first.
    fn add(&self, subject: Uuid, at: DateTime<Utc>) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.0)?;
        let mut line = format!("{} {subject}\n", at.to_rfc3339_opts(SecondsFormat::Micros, true));
        if file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                line.insert(0, '\n');
            }
        }
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }

    /// All subjects. The file is made where there is none: that it cannot be written must not turn out when the first person is to be erased.
    ///
    /// # Errors
    /// The file cannot be read or written, or is another one.
    fn read(&self) -> Result<BTreeSet<Uuid>, ErasuresError> {
        let mut bytes = vec![];
        let opened = OpenOptions::new().read(true).append(true).create(true).open(&self.0);
        opened.and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|e| self.file(e))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut subjects = BTreeSet::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            match parsed(line) {
                Some(subject) => drop(subjects.insert(subject)),
                None if is_cut_off(line) => {}
                None => return Err(ErasuresError::Foreign { path: self.0.clone(), line: number + 1 }),
            }
        }
        Ok(subjects)
    }

    fn file(&self, source: io::Error) -> ErasuresError {
        ErasuresError::File { path: self.0.clone(), source }
    }
}

impl Keys {
    /// Destroys the key of a subject, for ever. Again is harmless.
    ///
    /// # Errors
    /// The database's own, or the list of the erased cannot be written: then nothing was done.
    pub async fn destroy(&self, subject: Uuid) -> Result<(), sqlx::Error> {
        self.listed_and_forgotten(subject).await.inspect_err(|_| self.errors.increment(1))
    }

    async fn listed_and_forgotten(&self, subject: Uuid) -> Result<(), sqlx::Error> {
        if let Some(erasures) = self.erasures.clone()
            && !self.is_erased(subject).await?
        {
            let added = tokio::task::spawn_blocking(move || erasures.add(subject, Utc::now()));
            added.await.map_err(io::Error::other).flatten()?;
        }
        self.forget(subject).await
    }

    /// All whose key was destroyed.
    ///
    /// # Errors
    /// The database's own.
    pub async fn erased(&self) -> Result<Vec<Uuid>, sqlx::Error> {
        let sql = "select subject from erased_subjects order by subject";
        on!(&self.database.reader, |db| sqlx::query_scalar(sql).fetch_all(db).await)
    }

    async fn is_erased(&self, subject: Uuid) -> Result<bool, sqlx::Error> {
        let sql = "select exists (select 1 from erased_subjects where subject = $1)";
        on!(&self.database.reader, |db| sqlx::query_scalar(sql).bind(subject).fetch_one(db).await)
    }

    async fn forget(&self, subject: Uuid) -> Result<(), sqlx::Error> {
        let mut tx = self.database.begin().await?;
        if let Either::Postgres(db) = &mut tx {
            // Whoever is making the subject's first key is waited for, whoever comes later sees that it must not be made.
            sqlx::query("lock table data_keys in share row exclusive mode").execute(&mut **db).await?;
        }
        let erased = "insert into erased_subjects (subject, erased_at) values ($1, $2) on conflict do nothing";
        on!(&mut tx, |db| sqlx::query(erased).bind(subject).bind(Utc::now()).execute(&mut **db).await.map(drop))?;
        let delete = "delete from data_keys where subject = $1";
        let deleted = on!(&mut tx, |db| sqlx::query(delete).bind(subject).execute(&mut **db).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        self.known.invalidate(&subject);
        if deleted > 0 {
            self.leave_nothing().await?;
        }
        Ok(())
    }

    /// What was deleted is not left in the file: neither in the write-ahead log nor in pages that are no longer used.
    async fn leave_nothing(&self) -> Result<(), sqlx::Error> {
        match &self.database.writer {
            Pool::Sqlite(db) => sqlx::query("pragma wal_checkpoint(truncate)").execute(db).await.map(drop),
            Pool::Postgres(db) => sqlx::query("vacuum data_keys").execute(db).await.map(drop),
        }
    }

    /// Erases again who is on the file's list and not in the store, because that was restored from a backup; and the other way round puts on
    /// the list who is in the store. The answer is how many were erased again.
    ///
    /// # Errors
    /// The file's, or the database's own.
    pub async fn erase_again(&self) -> Result<usize, ErasuresError> {
        let Some(erasures) = &self.erasures else { return Ok(0) };
        let listed = erasures.read()?;
        let sql = "select subject, erased_at from erased_subjects";
        let stored: BTreeMap<Uuid, DateTime<Utc>> =
            on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?.into_iter().collect();
        for (subject, at) in stored.iter().filter(|(subject, _)| !listed.contains(subject)) {
            erasures.add(*subject, *at).map_err(|e| erasures.file(e))?;
        }
        let again: Vec<_> = listed.into_iter().filter(|subject| !stored.contains_key(subject)).collect();
        for subject in &again {
            self.forget(*subject).await?;
        }
        Ok(again.len())
    }
}

fn parsed(line: &str) -> Option<Uuid> {
    let (time, subject) = line.split_once(' ')?;
    DateTime::parse_from_rfc3339(time).ok()?;
    Uuid::try_parse(subject).ok().filter(|_| subject.len() == 36)
}

/// The start of a line: its writer was killed, and wrote it again.
fn is_cut_off(line: &str) -> bool {
    let whole = "2026-11-21T18:00:00.000000Z 00000000-0000-0000-0000-000000000000";
    line.len() < whole.len() && line.bytes().all(|byte| b"0123456789abcdefTZ:.- ".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Uuid = Uuid::from_u128(0xada);
    const BOB: Uuid = Uuid::from_u128(0xb0b);

    #[test]
    fn what_was_added_is_read_also_behind_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let erasures = Erasures::new(folder.path().join("erasures"));
        assert!(erasures.read().unwrap().is_empty());
        erasures.add(ADA, Utc::now()).unwrap();
        let whole = std::fs::read_to_string(&erasures.0).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&erasures.0, &whole[..length]).unwrap();
            assert!(erasures.read().unwrap().iter().all(|subject| *subject == ADA), "{length}");
            erasures.add(BOB, Utc::now()).unwrap();
            assert!(erasures.read().unwrap().contains(&BOB), "behind {length} bytes");
        }
    }

    #[test]
    fn another_file_and_one_that_cannot_be_written_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let erasures = Erasures::new(folder.path().join("erasures"));
        for text in ["root:x:0:0\n", "2026-11-21T18:00:00.000000Z 00000000-0000-0000-0000-00000000000x\n", "\u{0}\u{1}"] {
            std::fs::write(&erasures.0, format!("\n{text}")).unwrap();
            assert!(matches!(erasures.read(), Err(ErasuresError::Foreign { line: 2, .. })), "{text:?}");
        }
        for path in [folder.path().into(), folder.path().join("not/mounted")] {
            assert!(matches!(Erasures::new(path).read(), Err(ErasuresError::File { .. })));
        }
    }
}
