//! A disk that is full: commands fail, nothing half written stays, and with room again the log goes on.

mod room;

use database::StoreUrl;
use event_log::{Append, AppendError, EventLog};
use test_servers::{Options, Postgres};
use tokio::task::block_in_place;

use self::room::Room;
use crate::place::{Answer, Place, accepted, append, event};

const MEGABYTE: u64 = 1024 * 1024;

/// 200 KB that are not to be compressed.
fn large() -> String {
    let mut bits = 1_u64;
    let digit = |_| {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (bits >> 58) as u8)
    };
    (0..200_000).map(digit).collect()
}

/// Appends large events until one fails, then some more.
async fn fill(log: &EventLog, stream: u128, answers: &mut Vec<(Append, Answer)>) {
    let (mut version, mut failed, large) = (0, 0, large());
    while failed < 5 {
        let wish = Append { events: vec![event("{}"), event(&large), event("{}")], ..append(stream, version) };
        let answer = log.append(wish.clone()).await;
        match &answer {
            Ok(outcome) if accepted(outcome) => version += 3,
            Err(AppendError::Database(_)) => failed += 1,
            unexpected => panic!("{unexpected:?}"),
        }
        answers.push((wish, answer));
        assert!(answers.len() < 1_000, "it is never full");
    }
}

/// New streams get in, and the one that did not.
async fn goes_on(log: &EventLog, place: &Place, stream: u128, answers: &mut Vec<(Append, Answer)>) {
    let version = place.stored().await.streams[&append(stream, 0).stream_id].2;
    for wish in (100..120).map(|n| append(stream << 32 | n, 0)).chain([append(stream, version)]) {
        let answer = log.append(wish.clone()).await;
        assert!(answer.as_ref().is_ok_and(accepted), "{answer:?}");
        answers.push((wish, answer));
    }
    place.stored().await.is_what_was_answered(&*answers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_goes_on_when_there_is_room_again() {
    let room = Room::of_megabytes(16);
    if !block_in_place(|| room.is_ours("disk::sqlite_goes_on_when_there_is_room_again")) {
        return;
    }
    let place = Place { url: StoreUrl::file(room.path().join("log.db")), ..Place::sqlite().unwrap() };
    let log = place.log().await;
    let (mut answers, ourselves) = (vec![], [std::process::id().to_string()]);
    for stream in 1..4 {
        room.leave(MEGABYTE, &ourselves);
        fill(&log, stream, &mut answers).await;
        place.stored().await.is_what_was_answered(&answers);
        room.clear(&ourselves);
        goes_on(&log, &place, stream, &mut answers).await;
    }
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_goes_on_when_there_is_room_again() {
    let room = Room::of_megabytes(160);
    // Small files for what is written ahead, so that it meets the end of the disk, too.
    let settings = [("max_wal_size", "32MB"), ("min_wal_size", "32MB")];
    let options = Options { fsync: true, folder: Some(room.path()), settings: &settings };
    let Ok(mut cluster) = block_in_place(|| Postgres::start(options)) else { return };
    let place = Place::at(&cluster.new_database());
    let log = place.log().await;
    let (mut answers, wish) = (vec![], append(1_000, 0));
    answers.push((wish.clone(), log.append(wish).await));

    let sessions = "select cast(pid as text) from pg_stat_activity";
    let servers = [place.sql().await.texts(sessions).await, vec![cluster.pid().to_string()]].concat();
    room.leave(20 * MEGABYTE, &servers);
    fill(&log, 1, &mut answers).await;
    room.clear(&servers[servers.len() - 1..]);
    // A server that could not write ahead has ended all sessions, or itself.
    block_in_place(|| cluster.restart());
    goes_on(&log, &place, 1, &mut answers).await;
    log.close().await;
}
