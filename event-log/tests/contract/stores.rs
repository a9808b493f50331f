//! Opening a log's store.

use std::{error::Error, time::Duration};

use database::OpenError;
use event_log::{KeyStore, KeysError, LogStore};
use futures::future::join_all;

use crate::place::{DEADLINE, Place, append, on_both};

on_both! {
    another_number_of_partitions_is_refused_and_changes_nothing,
    what_a_newer_version_has_written_is_refused,
    of_many_who_make_a_log_at_once_all_have_it,
    a_log_is_empty_until_something_has_happened,
    keys_that_do_not_fit_the_log_are_told_from_those_that_do,
}

async fn refused(place: &Place) -> OpenError {
    LogStore::open(&place.url, Duration::ZERO).await.unwrap_err()
}

async fn another_number_of_partitions_is_refused_and_changes_nothing(place: Place) {
    place.store().await.close().await;
    let sql = place.sql().await;
    sql.run("update store_meta set value = '8' where key = 'partitions'").await;
    sql.run("delete from heads where partition >= 8").await;
    let error = refused(&place).await;
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains(&place.url.to_string()), "{error}");
    assert_eq!(error.source().unwrap().to_string(), "the log has 8 partitions, this program uses 16");
    assert_eq!(sql.count("select count(*) from heads").await, 8);
}

async fn what_a_newer_version_has_written_is_refused(place: Place) {
    place.store().await.close().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 select 99, 'from the future', success, checksum, 0 from _sqlx_migrations where version = 1";
    place.sql().await.run(newer).await;
    let error = refused(&place).await;
    assert!(matches!(error, OpenError::Newer { migration: 99, .. }), "{error}");
    assert!(error.to_string().contains("newer version") && error.to_string().contains(&place.url.to_string()), "{error}");
}

async fn of_many_who_make_a_log_at_once_all_have_it(place: Place) {
    for _ in 0..20 {
        let place = place.another();
        let logs = join_all((0..3).map(|_| LogStore::open(&place.url, DEADLINE)));
        let keys = join_all((0..2).map(|_| KeyStore::open(&place.url, DEADLINE)));
        let (logs, keys) = if place.sql().await.0.pick(false, true) { tokio::join!(logs, keys) } else { (logs.await, vec![]) };
        for log in logs {
            log.unwrap().close().await;
        }
        for keys in keys {
            keys.unwrap().close().await;
        }
        assert_eq!(place.stored().await.heads.len(), 16);
    }
}

async fn a_log_is_empty_until_something_has_happened(place: Place) {
    let store = place.store().await;
    assert!(store.is_empty().await.unwrap());
    place.log().await.append(append(1, 0)).await.unwrap();
    assert!(!store.is_empty().await.unwrap());
}

async fn keys_that_do_not_fit_the_log_are_told_from_those_that_do(place: Place) {
    let keys = place.keys(&[[7; 32]]).await;
    assert!(matches!(keys.check(false).await, Err(KeysError::Gone)), "others were used with the log");
    keys.check(true).await.unwrap();
    keys.check(false).await.unwrap();
    place.keys(&[[8; 32], [7; 32]]).await.check(false).await.unwrap();
    for ring in [&[[8; 32]][..], &[]] {
        assert!(matches!(place.keys(ring).await.check(false).await, Err(KeysError::Locked)));
    }
    assert_eq!(place.keys_sql().await.count("select count(*) from data_keys").await, 1);
}
