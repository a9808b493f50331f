//! A log of one's own, on either database.

use std::time::Duration;

use database::StoreUrl;
use event_log::{Actor, Append, AppendError, EventLog, KeyStore, Keys, LogStore, Metadata, NewEvent, Outcome, Partition};
use tempfile::TempDir;
use uuid::Uuid;

use crate::stored::{Sql, Stored};

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What became of a wish.
pub type Answer = Result<Outcome, AppendError>;

/// Where a log is; gone when it is dropped.
pub struct Place {
    pub url: StoreUrl,
    pub folder: TempDir,
}

impl Place {
    pub fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Some(Self { url: StoreUrl::file(folder.path().join("log.db")), folder })
    }

    /// `None`: there is no Postgres here, which was told loudly.
    pub fn postgres() -> Option<Self> {
        test_servers::shared_database().ok().map(|url| Self::at(&url))
    }

    pub fn at(url: &str) -> Self {
        Self { url: url.parse().unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    /// A new one, on the same kind of database.
    pub fn another(&self) -> Self {
        let another = match &self.url {
            StoreUrl::Sqlite(_) => Self::sqlite(),
            StoreUrl::Postgres(_) => Self::postgres(),
        };
        another.unwrap()
    }

    /// Opens the log; again is what a second process does. The keys of persons are in a file.
    pub async fn log(&self) -> EventLog {
        EventLog::start(self.store().await, self.keys(&[[7; 32]]).await).await.unwrap()
    }

    pub async fn logs<const N: usize>(&self) -> [EventLog; N] {
        let mut logs = vec![];
        for _ in 0..N {
            logs.push(self.log().await);
        }
        logs.try_into().unwrap()
    }

    pub async fn store(&self) -> LogStore {
        LogStore::open(&self.url, DEADLINE).await.unwrap()
    }

    /// Opens the keys of persons with a ring of key-encryption keys. Beside a log on Postgres they are there, too.
    pub async fn keys(&self, ring: &[[u8; 32]]) -> Keys {
        Keys::new(KeyStore::open(&self.keys_url(), DEADLINE).await.unwrap(), ring)
    }

    pub async fn keys_sql(&self) -> Sql {
        Sql::open(&self.keys_url(), "tizza_keys").await
    }

    pub fn keys_url(&self) -> StoreUrl {
        match &self.url {
            StoreUrl::Sqlite(_) => StoreUrl::file(self.folder.path().join("keys.db")),
            StoreUrl::Postgres(_) => self.url.clone(),
        }
    }

    pub async fn sql(&self) -> Sql {
        Sql::open(&self.url, "tizza_log").await
    }

    /// What is stored, once it was found to keep the log's promises.
    pub async fn stored(&self) -> Stored {
        Stored::of(&self.sql().await).await.sound()
    }
}

/// A test on each database: `on_both! { name, … }` for functions that take a [`Place`]. `on_both! { one_thread: name, … }`: tasks take
/// turns, so that what one task asks for in one go is one batch.
macro_rules! on_both {
    (one_thread: $($name:ident),+ $(,)?) => { $crate::place::on_both! { @ [tokio::test(flavor = "current_thread")] $($name),+ } };
    (@ $test:tt $($name:ident),+) => {
        mod sqlite { $($crate::place::on_both! { @@ sqlite $test $name })+ }
        mod postgres { $($crate::place::on_both! { @@ postgres $test $name })+ }
    };
    (@@ $database:ident [$($test:tt)+] $name:ident) => {
        #[$($test)+]
        async fn $name() {
            if let Some(place) = $crate::place::Place::$database() {
                tokio::time::timeout($crate::place::DEADLINE, super::$name(place)).await.expect("it ends");
            }
        }
    };
    ($($name:ident),+ $(,)?) => {
        $crate::place::on_both! { @ [tokio::test(flavor = "multi_thread", worker_threads = 2)] $($name),+ }
    };
}
pub(crate) use on_both;

pub fn event(payload: &str) -> NewEvent {
    NewEvent { event_id: Uuid::now_v7(), event_type: "Happened", schema_version: 1, payload: payload.into() }
}

/// An append of one event.
pub fn append(stream: u128, expected: i64) -> Append {
    let stream_id = Uuid::from_u128(stream);
    Append {
        stream_id,
        kind: "thing",
        partition: Partition::of(stream_id),
        expected,
        after: None,
        events: vec![event("{}")],
        metadata: Metadata {
            actor: Actor::Anonymous,
            subject_id: None,
            correlation_id: "test".into(),
            causation_id: None,
            traceparent: None,
        },
        reads: vec![],
        claims: vec![],
        links: vec![],
        key: None,
    }
}

/// The first stream's number from `from` on that lives in a partition.
pub fn stream_in(partition: u16, from: u128) -> u128 {
    (from..).find(|stream| Partition::of(Uuid::from_u128(*stream)).number() == partition).unwrap()
}

pub fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Appended { .. })
}

/// All at once; whatever is decided is decided, and nothing fails.
pub async fn outcomes(log: &EventLog, wishes: impl IntoIterator<Item = Append>) -> Vec<Outcome> {
    let answers = wishes.into_iter().map(|wish| log.append(wish));
    futures::future::join_all(answers).await.into_iter().map(Result::unwrap).collect()
}

/// Whatever it takes, as long as it does not take too long.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"));
}
