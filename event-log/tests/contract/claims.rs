//! Unique names.

use database::{Transaction, on};
use event_log::{Append, Claim, ClaimChange, ClaimKey, Outcome};
use uuid::Uuid;

use crate::{
    place::{Place, accepted, append, on_both, outcomes, stream_in, until},
    stored::Sql,
};

on_both! {
    a_name_that_many_race_for_has_one_holder,
    a_command_that_misses_a_name_takes_none,
    a_name_is_given_back_by_its_holder_only,
    a_name_that_somebody_takes_while_a_command_waits_is_theirs,
    names_wander_from_stream_to_stream_and_none_is_ever_held_twice,
}

fn names() -> [Claim; 3] {
    ["ada", "bob", "eve"].map(|name| ClaimKey::new([1; 32]).claim("name", name))
}

pub fn taking(stream: u128, expected: i64, names: &[Claim]) -> Append {
    Append { claims: names.iter().map(|name| ClaimChange::Take(*name)).collect(), ..append(stream, expected) }
}

pub fn giving_back(stream: u128, expected: i64, name: Claim) -> Append {
    Append { claims: vec![ClaimChange::GiveBack(name)], ..append(stream, expected) }
}

async fn a_name_that_many_race_for_has_one_holder(place: Place) {
    let [one, other] = place.logs().await;
    for round in 0..10u8 {
        let name = ClaimKey::new([2; 32]).claim("name", &round.to_string());
        let at = u128::from(round) << 32;
        let wishes = |from: u16| (from..from + 4).map(move |partition| taking(stream_in(partition, at), 0, &[name]));
        let (these, those) = tokio::join!(outcomes(&one, wishes(0)), outcomes(&other, wishes(4)));
        let all = [these, those].concat();
        assert_eq!(all.iter().filter(|o| accepted(o)).count(), 1, "{all:?}");
        assert_eq!(all.iter().filter(|o| **o == Outcome::ClaimTaken(name)).count(), 7, "{all:?}");
        let stored = place.stored().await;
        assert_eq!(stored.claims[&name.0[..]], stored.events.iter().map(|row| row.stream_id).find(|id| id.as_u128() >= at).unwrap());
    }
    assert_eq!(place.stored().await.events.len(), 10);
}

async fn a_command_that_misses_a_name_takes_none(place: Place) {
    let log = place.log().await;
    let [ada, bob, eve] = names();
    assert!(accepted(&log.append(taking(1, 0, &[bob])).await.unwrap()));
    assert_eq!(log.append(taking(2, 0, &[ada, bob, eve])).await.unwrap(), Outcome::ClaimTaken(bob));
    assert_eq!((log.holder(ada).await.unwrap(), log.holder(eve).await.unwrap()), (None, None));
    assert!(accepted(&log.append(taking(1, 1, &[bob, ada])).await.unwrap()), "it is its own");
    let stored = place.stored().await;
    assert_eq!(stored.claims.into_values().collect::<Vec<_>>(), [Uuid::from_u128(1); 2]);
    assert_eq!(stored.streams.len(), 1);
}

async fn a_name_is_given_back_by_its_holder_only(place: Place) {
    let log = place.log().await;
    let [ada, bob, _] = names();
    assert!(accepted(&log.append(taking(1, 0, &[ada])).await.unwrap()));
    assert!(accepted(&log.append(giving_back(2, 0, ada)).await.unwrap()));
    assert!(accepted(&log.append(giving_back(2, 1, bob)).await.unwrap()));
    assert_eq!(log.holder(ada).await.unwrap(), Some(Uuid::from_u128(1)), "nobody gives back what is another's");
    assert!(accepted(&log.append(giving_back(1, 1, ada)).await.unwrap()));
    assert!(place.stored().await.claims.is_empty());
    assert!(accepted(&log.append(taking(3, 0, &[ada])).await.unwrap()));
    assert_eq!(place.stored().await.claims[&ada.0[..]], Uuid::from_u128(3));
}

/// Nobody has seen the other transaction's row when they decide; the database has, when they write: in one call as well as in a transaction.
async fn a_name_that_somebody_takes_while_a_command_waits_is_theirs(place: Place) {
    let (log, sql) = (place.log().await, place.sql().await);
    let [ada, bob, eve] = names();
    let decided = Append { claims: vec![ClaimChange::Take(bob), ClaimChange::GiveBack(eve)], ..append(2, 0) };
    for (name, wish) in [(ada, taking(1, 0, &[ada])), (bob, decided)] {
        let tx = takes(&sql, name).await;
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.append(wish).await }
        });
        if sql.0.pick(false, true) {
            until("it waits for the name", async || sql.waiting().await > 0).await;
        }
        tx.commit().await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), Outcome::ClaimTaken(name));
    }
    let stored = place.stored().await;
    assert_eq!((stored.events.len(), stored.claims.into_values().collect::<Vec<_>>()), (0, vec![Uuid::nil(); 2]));
}

/// The second time, too, somebody else takes the name between the look at it and the insert.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_that_is_lost_twice_in_a_row_is_run_a_third_time() {
    let Some(place) = Place::postgres() else { return };
    let (log, sql) = (place.log().await, place.sql().await);
    let ([ada, ..], wish) = (names(), taking(1, 0, &[names()[0]]));
    let partition = wish.partition;
    let mut other = takes(&sql, ada).await;
    let waiting = tokio::spawn(async move { log.append(wish).await });
    is_blocked_by(&sql, &mut other).await;
    // Whoever waits for the head has it before the second try.
    let holding = tokio::spawn({
        let sql = Sql(sql.0.clone());
        async move { sql.hold(partition).await }
    });
    let locked = "select count(*) from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock' and query like 'select from heads%for update'";
    until("somebody waits for the head", async || sql.count(locked).await == 1).await;
    other.commit().await.unwrap();
    let held = holding.await.unwrap();
    sql.run("delete from claims").await;
    let mut another = takes(&sql, ada).await;
    held.commit().await.unwrap();
    is_blocked_by(&sql, &mut another).await;
    another.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Outcome::ClaimTaken(ada));
    assert!(place.stored().await.events.is_empty());
}

/// A transaction in which somebody has taken a name.
async fn takes(sql: &Sql, name: Claim) -> Transaction {
    let mut tx = sql.begin().await;
    let take = "insert into claims (claim, stream_id) values ($1, $2)";
    on!(&mut tx, |db| sqlx::query(take).bind(&name.0[..]).bind(Uuid::nil()).execute(&mut **db).await.map(drop)).unwrap();
    tx
}

/// Waits until the log waits for a transaction.
async fn is_blocked_by(sql: &Sql, tx: &mut Transaction) {
    let pid: i32 = on!(tx, |db| sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut **db).await).unwrap();
    let blocked = format!("select count(*) from pg_stat_activity where application_name = 'tizza' and {pid} = any (pg_blocking_pids(pid))");
    until("the log waits for it", async || sql.count(&blocked).await > 0).await;
}

/// Each of some streams takes a name when it can and gives it back then, in two processes and all partitions.
async fn names_wander_from_stream_to_stream_and_none_is_ever_held_twice(place: Place) {
    let logs: [_; 2] = place.logs().await;
    let [ada, bob, _] = names();
    let wanderers = (0..12u16).map(|stream| {
        let log = logs[usize::from(stream) % 2].clone();
        async move {
            let (id, name) = (stream_in(stream % 6, u128::from(stream) << 32), if stream % 3 == 0 { ada } else { bob });
            let (mut version, mut held) = (0, 0);
            while held < 5 {
                let took = log.append(taking(id, version, &[name])).await.unwrap();
                assert!(accepted(&took) || took == Outcome::ClaimTaken(name), "{took:?}");
                if accepted(&took) {
                    assert_eq!(log.holder(name).await.unwrap(), Some(Uuid::from_u128(id)));
                    assert!(accepted(&log.append(giving_back(id, version + 1, name)).await.unwrap()));
                    (version, held) = (version + 2, held + 1);
                }
            }
        }
    });
    futures::future::join_all(wanderers).await;
    let stored = place.stored().await;
    assert_eq!((stored.events.len(), stored.claims.len()), (12 * 5 * 2, 0));
}
