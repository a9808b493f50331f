//! The server goes away and comes back.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

use event_log::{Append, AppendError, EventLog, Partition};
use futures::future::join_all;
use test_servers::{Options, Postgres};
use tokio::{task::block_in_place, time::timeout};
use uuid::Uuid;

use crate::place::{Answer, DEADLINE, Place, accepted, append, stream_in, until};

/// A server of one's own, on which a commit waits for the disk.
fn server() -> Option<(Postgres, Place)> {
    let cluster = Postgres::start(Options { fsync: true, ..Options::default() }).ok()?;
    let place = Place::at(&cluster.new_database());
    Some((cluster, place))
}

/// Appends to one stream, for as long as it should go on; after an error it looks how far it has come.
async fn append_on_and_on(log: &EventLog, stream: u128, goes_on: &AtomicBool, appended: &AtomicUsize) -> Vec<(Append, Answer)> {
    let mut answers: Vec<(Append, Answer)> = vec![];
    let mut version = Some(0);
    while goes_on.load(SeqCst) {
        let Some(expected) = version else {
            let rows = log.rows(&[Uuid::from_u128(stream)]).await;
            version = rows.ok().map(|rows| rows.values().next().map_or(0, |row| row.version));
            continue;
        };
        let wish = append(stream, expected);
        let answer = log.append(wish.clone()).await;
        version = answer.as_ref().is_ok_and(accepted).then_some(expected + 1);
        appended.fetch_add(usize::from(version.is_some()), SeqCst);
        answers.push((wish, answer));
    }
    answers
}

async fn some_more(appended: &AtomicUsize) {
    let enough = appended.load(SeqCst) + 60;
    until("appends go on", async || appended.load(SeqCst) >= enough).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_server_ends_and_starts_again_the_log_goes_on_by_itself() {
    let Some((mut cluster, place)) = block_in_place(server) else { return };
    let logs: [EventLog; 2] = place.logs().await;
    let following: Vec<_> = logs.iter().cloned().map(|log| tokio::spawn(async move { log.follow().await })).collect();
    let sql = place.sql().await;
    until("both listen", async || listening(&place).await == 2).await;

    let (goes_on, appended) = (AtomicBool::new(true), AtomicUsize::new(0));
    let writing = join_all((0..8).map(|n| append_on_and_on(&logs[n % 2], stream_in(n as u16, 1), &goes_on, &appended)));
    let outages = async {
        for _ in 0..2 {
            some_more(&appended).await;
            block_in_place(|| cluster.stop());
            block_in_place(|| cluster.restart());
        }
        some_more(&appended).await;
        until("both listen again", async || listening(&place).await == 2).await;
        goes_on.store(false, SeqCst);
    };
    let (answers, ()) = tokio::join!(writing, outages);
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    let stored = place.stored().await;
    stored.is_what_was_answered(&answers);
    for partition in (0..8).filter_map(Partition::new) {
        let (head, mut heads) = (stored.heads[&partition], logs[1].heads());
        timeout(DEADLINE, heads.wait_for(|known| known[partition.index()] == head)).await.expect("the tail goes on").unwrap();
    }
    assert_eq!(sql.count("select count(*) from events").await, stored.events.len() as i64);
    following.into_iter().for_each(|task| task.abort());
}

async fn listening(place: &Place) -> i64 {
    let sql = place.sql().await;
    sql.count("select count(*) from pg_stat_activity where application_name = 'tizza' and query like 'LISTEN%'").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_commands_fail_and_closing_does_not_wait_for_it() {
    let Some((mut cluster, place)) = block_in_place(server) else { return };
    let log = place.log().await;
    log.append(append(1, 0)).await.unwrap();
    block_in_place(|| cluster.stop());
    let started = Instant::now();
    let log = &log;
    let waiting = join_all((0..1_000).map(|stream| log.append(append(stream, 1))));
    let (refused, ()) = tokio::join!(waiting, log.close());
    assert!(refused.into_iter().all(|answer| matches!(answer, Err(AppendError::Database(_)))));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    block_in_place(|| cluster.restart());
    assert_eq!(place.stored().await.events.len(), 1);
}

/// Processes that are held as they are, until this is dropped.
struct Frozen(Vec<String>);

impl Frozen {
    async fn sessions(place: &Place, cluster: &Postgres) -> Self {
        let sessions = place.sql().await.texts("select pid::text from pg_stat_activity where application_name = 'tizza'").await;
        let frozen = Self([vec![cluster.pid().to_string()], sessions].concat());
        frozen.signal("-STOP");
        frozen
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").arg(name).args(&self.0).status().unwrap().success());
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// With one thread, whose clock runs ahead whenever there is nothing to do but to wait.
#[tokio::test]
async fn a_server_that_says_nothing_at_all_is_not_waited_for_for_ever() {
    let Some((cluster, place)) = server() else { return };
    let log = place.log().await;
    let mut answers = vec![];
    for wish in [append(stream_in(0, 1), 0), append(stream_in(1, 1), 0)] {
        answers.push((wish.clone(), log.append(wish).await));
    }
    let frozen = Frozen::sessions(&place, &cluster).await;
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let late = (100..400).map(|stream| append(stream, 0)).map(async |wish| (wish.clone(), log.append(wish).await));
    answers.extend(timeout(10 * DEADLINE, join_all(late)).await.expect("all are answered"));
    assert!(answers[2..].iter().all(|(_, answer)| matches!(answer, Err(AppendError::Database(_)))));
    timeout(10 * DEADLINE, log.close()).await.expect("it closes");
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
    tokio::time::resume();
    drop(frozen);
    place.stored().await.is_what_was_answered(&answers);
}
