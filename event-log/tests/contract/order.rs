//! Positions are 1, 2, 3, … in the order of commits, as seen by somebody who reads while others write, stall and roll back.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use database::{Transaction, on};
use event_log::{Append, Claim, ClaimChange, EventLog, Partition};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::{runtime::Handle, task::block_in_place, time::timeout};
use uuid::Uuid;

use crate::{
    place::{Answer, DEADLINE, Place, accepted, append, event, on_both, stream_in},
    stored::{Sql, write},
};

on_both! {
    whatever_others_do_a_reader_sees_every_position_in_its_turn,
    a_process_that_follows_closely_misses_nothing,
}

/// Two of one writer, one of the other.
const PLACES: u16 = 3;
const PROCESSES: usize = 3;
const STREAMS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Append { process: usize, stream: usize, events: usize, name: Option<u8> },
    Stall { how: Stall, statements: usize, commits: bool },
}

/// What somebody else's transaction does before it takes its time.
#[derive(Clone, Copy, Debug)]
enum Stall {
    /// Locks a head.
    Head(u16),
    /// Takes a name.
    Claim(u8),
    /// Appends an event.
    Write(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let append = (0..PROCESSES, 0..STREAMS, 1..4usize, prop::option::weighted(0.2, 0..4u8))
        .prop_map(|(process, stream, events, name)| Step::Append { process, stream, events, name });
    let how = prop_oneof![(0..PLACES).prop_map(Stall::Head), (0..4u8).prop_map(Stall::Claim), (0..PLACES).prop_map(Stall::Write)];
    let stall = (how, 0..60usize, any::<bool>()).prop_map(|(how, statements, commits)| Step::Stall { how, statements, commits });
    prop_oneof![6 => append, 1 => stall]
}

/// Some who do one thing after the other, side by side.
fn scripts() -> impl Strategy<Value = Vec<Vec<Step>>> {
    vec(vec(step(), 1..10), 3..8)
}

struct Scene {
    logs: [EventLog; PROCESSES],
    sql: Sql,
    cases: Cell<u128>,
    answers: RefCell<Vec<(Append, Answer)>>,
    /// The events that somebody else has appended.
    others: RefCell<Vec<Append>>,
    seen: RefCell<BTreeMap<(Partition, i64), Uuid>>,
}

async fn whatever_others_do_a_reader_sees_every_position_in_its_turn(place: Place) {
    let scene = Scene::new(&place).await;
    let mut runner = TestRunner::new(Config { cases: 12, max_shrink_iters: 0, failure_persistence: None, ..Config::default() });
    let handle = Handle::current();
    let ran = block_in_place(|| {
        runner.run(&scripts(), |scripts| {
            handle.block_on(timeout(DEADLINE, scene.play(&scripts))).expect("nobody waits for ever");
            Ok(())
        })
    });
    ran.unwrap_or_else(|error| panic!("{error}"));

    let stored = place.stored().await;
    let ids = stored.events.iter().map(|row| ((row.partition, row.position), row.event_id)).collect::<BTreeMap<_, _>>();
    assert_eq!(scene.seen.take(), ids, "what was seen is what is there");
    let answers = scene.answers.take();
    assert!(answers.iter().filter(|(_, answer)| answer.as_ref().is_ok_and(accepted)).count() > 100);
    let others = scene.others.take();
    let others = others.iter().map(|wish| wish.events[0].event_id).collect::<Vec<_>>();
    let mut own = stored;
    own.events.retain(|row| !others.contains(&row.event_id));
    own.is_what_was_answered(&answers);
}

impl Scene {
    async fn new(place: &Place) -> Self {
        Self {
            logs: place.logs().await,
            sql: place.sql().await,
            cases: Cell::default(),
            answers: RefCell::default(),
            others: RefCell::default(),
            seen: RefCell::default(),
        }
    }

    async fn play(&self, scripts: &[Vec<Step>]) {
        let case = self.cases.replace(self.cases.get() + 1);
        let done = Cell::new(false);
        let playing = async {
            futures::future::join_all(scripts.iter().map(|script| self.play_one(script, case))).await;
            done.set(true);
        };
        tokio::join!(playing, self.tail(&done));
    }

    async fn play_one(&self, script: &[Step], case: u128) {
        for step in script {
            match step {
                Step::Append { process, stream, events, name } => {
                    let id = stream_in(*stream as u16 % PLACES, case << 32 | (*stream as u128) << 16);
                    let log = &self.logs[*process];
                    let version = log.rows(&[Uuid::from_u128(id)]).await.unwrap().values().next().map_or(0, |row| row.version);
                    let claims = name.map(|name| ClaimChange::Take(Claim([name; 32]))).into_iter().collect();
                    let wish = Append { events: (0..*events).map(|_| event("{}")).collect(), claims, ..append(id, version) };
                    let answer = log.append(wish.clone()).await;
                    self.answers.borrow_mut().push((wish, answer));
                }
                Step::Stall { how, statements, commits } => self.stall(*how, *statements, *commits).await,
            }
        }
    }

    async fn stall(&self, how: Stall, statements: usize, commits: bool) {
        let (Stall::Head(number) | Stall::Write(number)) = how else { return self.stall_claim(how, statements, commits).await };
        let partition = Partition::new(number).unwrap();
        let mut tx = self.sql.hold(partition).await;
        let written = Append { partition, ..append(Uuid::now_v7().as_u128(), 0) };
        if let Stall::Write(_) = how {
            write(&mut tx, &written).await;
            if commits {
                self.others.borrow_mut().push(written);
            }
        }
        take_time(tx, statements, commits).await;
    }

    async fn stall_claim(&self, how: Stall, statements: usize, commits: bool) {
        let Stall::Claim(name) = how else { return };
        let mut tx = self.sql.begin().await;
        let sql = "insert into claims (claim, stream_id) values ($1, $2) on conflict do nothing";
        on!(&mut tx, |db| sqlx::query(sql).bind(&[name; 32][..]).bind(Uuid::now_v7()).execute(&mut **db).await.map(drop)).unwrap();
        take_time(tx, statements, commits).await;
    }

    /// Reads behind what was seen, until the others are done and once more.
    async fn tail(&self, done: &Cell<bool>) {
        loop {
            let last = done.get();
            for partition in (0..PLACES).filter_map(Partition::new) {
                let head = "select position from heads where partition = $1";
                let head: i64 = on!(&self.sql.0, |db| sqlx::query_scalar(head).bind(partition).fetch_one(db).await).unwrap();
                let mut at = self.seen.borrow().keys().filter(|place| place.0 == partition).map(|place| place.1).max().unwrap_or(0);
                let sql = "select position, event_id from events where partition = $1 and position > $2 order by position";
                let found: Vec<(i64, Uuid)> =
                    on!(&self.sql.0, |db| sqlx::query_as(sql).bind(partition).bind(at).fetch_all(db).await).unwrap();
                for (position, event_id) in found {
                    assert_eq!(position, at + 1, "no position is skipped in {partition:?}");
                    at = position;
                    self.seen.borrow_mut().insert((partition, position), event_id);
                }
                assert!(at >= head, "the head is told when all before it can be read");
            }
            if last {
                return;
            }
        }
    }
}

async fn take_time(mut tx: Transaction, statements: usize, commits: bool) {
    for _ in 0..statements {
        let _: i64 = on!(&mut tx, |db| sqlx::query_scalar("select count(*) from events").fetch_one(&mut **db).await).unwrap();
    }
    if commits { tx.commit().await.unwrap() } else { on!(tx, |tx| tx.rollback().await).unwrap() }
}

async fn a_process_that_follows_closely_misses_nothing(place: Place) {
    let [log, other] = place.logs().await;
    let following = tokio::spawn({
        let log = log.clone();
        async move { log.follow().await }
    });
    let tail = tokio::spawn(tail(log.clone(), 400));
    let writers = (0..40u128).map(|stream| {
        let log = if stream % 4 == 0 { other.clone() } else { log.clone() };
        async move {
            for version in 0..10 {
                assert!(accepted(&log.append(append(stream, version)).await.unwrap()));
            }
        }
    });
    futures::future::join_all(writers).await;
    timeout(DEADLINE, tail).await.expect("the tail sees all").unwrap();
    assert_eq!(place.stored().await.events.len(), 400);
    following.abort();
}

/// Reads behind the heads, as a projector does, until it has seen `expected` events; each position is the next one.
async fn tail(log: EventLog, expected: usize) {
    let mut heads = log.heads();
    let mut seen = [0; 16];
    let mut count = 0;
    while count < expected {
        let known = *heads.borrow_and_update();
        let before = count;
        for partition in Partition::all() {
            if known[partition.index()] > seen[partition.index()] {
                for event in log.read(partition, seen[partition.index()], 7).await.unwrap() {
                    seen[partition.index()] += 1;
                    assert_eq!(event.position, seen[partition.index()]);
                    count += 1;
                }
            }
        }
        if count == before {
            heads.changed().await.unwrap();
        }
    }
}
