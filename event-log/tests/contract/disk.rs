//! A disk that is full: commands fail, nothing half written stays, and with room again the log goes on.

mod room;

use database::StoreUrl;
use event_log::{Append, AppendError, EventLog};
use test_servers::{Options, Postgres};
use tokio::task::block_in_place;

use self::room::Room;
use crate::place::{Answer, Place, accepted, append, event};

const LARGE: usize = 200 * 1024;

/// Appends large events until one fails, then some more.
async fn fill(log: &EventLog, stream: u128, answers: &mut Vec<(Append, Answer)>) {
    let (mut version, mut failed) = (0, 0);
    while failed < 5 {
        let wish = Append { events: vec![event("{}"), event(&"x".repeat(LARGE)), event("{}")], ..append(stream, version) };
        let answer = log.append(wish.clone()).await;
        match &answer {
            Ok(outcome) if accepted(outcome) => version += 3,
            Err(AppendError::Database(_)) => failed += 1,
            unexpected => panic!("{unexpected:?}"),
        }
        answers.push((wish, answer));
        assert!(answers.len() < 2_000, "it is never full");
    }
}

async fn goes_on(log: &EventLog, place: &Place, answers: &mut Vec<(Append, Answer)>) {
    for stream in 100..120 {
        let wish = append(stream, 0);
        let answer = log.append(wish.clone()).await;
        assert!(answer.as_ref().is_ok_and(accepted), "{answer:?}");
        answers.push((wish, answer));
    }
    place.stored().await.is_what_was_answered(&*answers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_goes_on_when_there_is_room_again() {
    let Some(room) = Room::of_megabytes(8) else { return };
    let place = Place { url: StoreUrl::file(room.path().join("log.db")), ..Place::sqlite().unwrap() };
    let log = place.log().await;
    let mut answers = vec![];
    for round in 0..3 {
        room.leave(600 * 1024);
        fill(&log, round, &mut answers).await;
        place.stored().await.is_what_was_answered(&answers);
        room.clear();
        goes_on_from(&log, round, &mut answers).await;
    }
    goes_on(&log, &place, &mut answers).await;
    log.close().await;
}

/// The very stream that did not get in does now.
async fn goes_on_from(log: &EventLog, stream: u128, answers: &mut Vec<(Append, Answer)>) {
    let version = answers.iter().filter(|(wish, answer)| wish.stream_id.as_u128() == stream && answer.is_ok()).count() as i64 * 3;
    let wish = append(stream, version);
    let answer = log.append(wish.clone()).await;
    assert!(answer.as_ref().is_ok_and(accepted), "{answer:?}");
    answers.push((wish, answer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_goes_on_when_there_is_room_again() {
    let Some(room) = Room::of_megabytes(160) else { return };
    // Small files for what is written ahead, so that it meets the end of the disk, too.
    let settings = [("max_wal_size", "32MB"), ("min_wal_size", "32MB")];
    let options = Options { fsync: true, folder: Some(room.path()), settings: &settings };
    let Ok(mut cluster) = block_in_place(|| Postgres::start(options)) else { return };
    let place = Place::at(&cluster.new_database());
    let log = place.log().await;
    let mut answers = vec![];
    room.leave(4 * 1024 * 1024);
    fill(&log, 1, &mut answers).await;
    room.clear();
    // A server that could not write ahead has ended all sessions, or itself.
    block_in_place(|| cluster.restart());
    goes_on(&log, &place, &mut answers).await;
    log.close().await;
}
