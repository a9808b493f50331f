//! Keys that have expired are forgotten.

use super::{super::*, Log};
use crate::{Actor, CommandKey, Key};

fn keyed(key: u8, kept_for: Option<Duration>) -> Append {
    let key = CommandKey { key: Key([key; 32]), fingerprint: Key([0; 32]), kept_for };
    Append {
        stream_id: Uuid::nil(),
        kind: "thing",
        partition: Partition::of(Uuid::nil()),
        expected: 0,
        after: None,
        events: vec![],
        metadata: Metadata {
            actor: Actor::Anonymous,
            subject_id: None,
            correlation_id: String::new(),
            causation_id: None,
            traceparent: None,
        },
        reads: vec![],
        claims: vec![],
        links: vec![],
        key: Some(key),
    }
}

async fn only_what_has_expired_is_forgotten(mut log: Log) {
    let (no_time, hour) = (Some(Duration::ZERO), Some(Duration::from_secs(3_600)));
    log.append(&[keyed(1, no_time), keyed(2, hour), keyed(3, None), keyed(4, no_time)]).await;
    let left = || async { on!(&log.database.reader, |db| sqlx::query_scalar("select count(*) from command_keys").fetch_one(db).await) };
    for _ in 0..2 {
        forget_old(&log.database).await.expect("it does");
        assert_eq!(left().await.ok(), Some(2_i64));
    }
    for key in [2, 3] {
        assert!(remembered(&log.database, Key([key; 32])).await.expect("it does").is_some());
    }
}

#[tokio::test]
async fn on_sqlite_only_what_has_expired_is_forgotten() {
    only_what_has_expired_is_forgotten(Log::sqlite().await).await;
}

#[tokio::test]
async fn on_postgres_only_what_has_expired_is_forgotten() {
    if let Some(log) = Log::postgres(super::writer).await {
        only_what_has_expired_is_forgotten(log).await;
    }
}
