//! Rebuilding, verifying, rolling back and looking back, while workers fold.

use event_log::Partition;
use events::likes::Reaction::{Dislike, Like};
use read_store::{
    Role, Swap,
    jobs::{Kind, Phase, Request, State},
    views::{PIZZAS, REACTIONS, USERS},
};

use crate::{
    history::{
        Act::{Approve, Create, DeleteAccount, React},
        user,
    },
    operator::Operator,
    polls::polled,
    setup::{Place, Tizza, on_both},
};

async fn something(tizza: &mut Tizza) {
    tizza.happens(&[Create(0), Create(2), Approve(0), React(0, 0, Some(Like)), React(1, 0, Some(Dislike)), React(2, 2, Some(Like))]).await;
}

async fn a_rebuild_is_verified_and_swapped_in_and_the_old_rows_can_be_had_back(mut tizza: Tizza) {
    something(&mut tizza).await;
    {
        let operator = Operator::of(&tizza).await;
        operator.assert_read().await;
        let outcome = operator.has_done(Kind::Rebuild, &REACTIONS, Request::default()).await;
        assert!(outcome.swapped && outcome.differences.is_empty() && outcome.rows > 3, "{outcome:?}");
        assert_eq!(operator.generations(&REACTIONS).await, [(1, Role::Folded, false), (2, Role::Folded, true)]);
        operator.assert_read().await;
        operator.ends().await;
    }
    tizza.happens(&[React(1, 0, Some(Like))]).await;
    let operator = Operator::of(&tizza).await;
    operator.assert_read().await;
    let before = tizza.store.last_live(&REACTIONS).await.unwrap();
    assert_eq!(before, Some(1));
    while tizza.store.swap(&REACTIONS, 1, false).await.unwrap() == Swap::Behind {
        tokio::task::yield_now().await;
    }
    operator.assert_read().await;
    assert_eq!(operator.generations(&REACTIONS).await, [(1, Role::Folded, true), (2, Role::Folded, false)]);
    operator.ends().await;
}

async fn a_second_rebuild_right_after_the_first_gives_the_same_rows(mut tizza: Tizza) {
    something(&mut tizza).await;
    let operator = Operator::of(&tizza).await;
    for generation in [2, 4] {
        let outcome = operator.has_done(Kind::Rebuild, &REACTIONS, Request::default()).await;
        assert!(outcome.swapped && outcome.differences.is_empty(), "{outcome:?}");
        assert_eq!(tizza.store.live_generation(&REACTIONS).await.unwrap(), Some(generation));
        operator.assert_read().await;
    }
    operator.ends().await;
}

async fn a_dry_run_stops_before_the_swap_and_goes_on_from_there(mut tizza: Tizza) {
    something(&mut tizza).await;
    let operator = Operator::of(&tizza).await;
    operator.assert_read().await;
    broken(&tizza, "delete from reactions_g1").await;
    let job = operator.does(Kind::Rebuild, &REACTIONS, Request { dry_run: true, ..Request::default() }).await;
    assert_eq!((job.state, job.progress.phase), (State::Paused, Phase::Swapping));
    let differences = job.outcome.unwrap().differences;
    assert_eq!(differences.iter().map(|found| (found.table.as_str(), found.added)).collect::<Vec<_>>(), [("reactions", 3)]);
    assert_eq!(tizza.store.live_generation(&REACTIONS).await.unwrap(), Some(1));
    tizza.store.resume(job.id, &Request::default()).await.unwrap();
    assert!(operator.runner().step().await.unwrap());
    assert_eq!(operator.job(job.id).await.state, State::Done);
    operator.assert_read().await;
    operator.ends().await;
}

async fn verifying_says_which_rows_differ_and_leaves_nothing_behind(mut tizza: Tizza) {
    something(&mut tizza).await;
    let operator = Operator::of(&tizza).await;
    operator.assert_read().await;
    let sound = operator.has_done(Kind::Verify, &REACTIONS, Request::default()).await;
    assert!(sound.differences.is_empty() && sound.rows > 3, "{sound:?}");
    broken(&tizza, "update pizza_counters_g1 set likes = likes + 1 where likes = 1 and dislikes = 1").await;
    broken(&tizza, "delete from reactions_g1 where reaction = 'dislike'").await;
    broken(&tizza, "insert into place_counters_g1 select like_id, 1 from reactions_g1 limit 1").await;
    let found = operator.has_done(Kind::Verify, &REACTIONS, Request::default()).await.differences;
    let told: Vec<_> = found.iter().map(|found| (found.table.as_str(), found.added, found.removed, found.changed)).collect();
    assert_eq!(told, [("reactions", 1, 0, 0), ("pizza_counters", 0, 0, 1), ("place_counters", 0, 1, 0)]);
    assert!(found.iter().all(|found| found.keys.len() == 1));
    assert_eq!(operator.generations(&REACTIONS).await, [(1, Role::Folded, true)]);
    operator.ends().await;
}

async fn what_was_aborted_or_failed_is_dropped_and_nothing_live_is_touched(mut tizza: Tizza) {
    something(&mut tizza).await;
    let operator = Operator::of(&tizza).await;
    let job = operator.does(Kind::Rebuild, &PIZZAS, Request { dry_run: true, ..Request::default() }).await;
    assert!(!tizza.store.ask_for(uuid::Uuid::now_v7(), Kind::Rebuild, &PIZZAS, &Request::default()).await.unwrap());
    tizza.store.wish(job.id, read_store::Wish::Abort).await.unwrap();
    assert!(operator.runner().step().await.unwrap());
    assert_eq!(operator.job(job.id).await.state, State::Aborted);
    assert_eq!(operator.generations(&PIZZAS).await, [(1, Role::Folded, true)]);
    assert!(!tizza.store.database.has_table("pizzas_g2").await.unwrap());
    operator.assert_read().await;
    operator.ends().await;
}

async fn a_copy_is_as_it_was_then_but_for_those_who_are_deleted(mut tizza: Tizza) {
    something(&mut tizza).await;
    let until = tizza.log.all_heads().await.unwrap();
    tizza.happens(&[React(0, 0, Some(Dislike)), React(1, 2, Some(Like)), DeleteAccount(1)]).await;
    {
        let operator = Operator::of(&tizza).await;
        let request = Request { until: Some(until), into: Some("then".into()), ..Request::default() };
        let outcome = operator.has_done(Kind::Copy, &REACTIONS, request).await;
        assert_eq!(outcome.tables, ["reactions_then", "place_likes_then", "pizza_counters_then", "place_counters_then"]);
        assert_eq!(count(&tizza, "select count(*) from reactions_then where reaction = 'like'").await, 2);
        assert_eq!(count(&tizza, "select count(*) from reactions_then").await, 2);
        operator.assert_read().await;
        operator.ends().await;
    }
    tizza.happens(&[React(2, 2, None), DeleteAccount(0)]).await;
    let operator = Operator::of(&tizza).await;
    operator.assert_read().await;
    folded_up(&tizza, user(0).0).await;
    assert_eq!(count(&tizza, "select count(*) from reactions_then").await, 1);
    assert_eq!(operator.generations(&REACTIONS).await, [(1, Role::Folded, true), (2, Role::Copy, false)]);
    operator.ends().await;
}

async fn who_is_erased_is_left_out_of_a_comparison_while_the_live_rows_wait_for_it(mut tizza: Tizza) {
    tizza.happens(&[Create(0), Create(2)]).await;
    let operator = Operator::of(&tizza).await;
    operator.assert_read().await;
    // The key is destroyed before the deletion is folded.
    tizza.log.shred(user(1).0).await.unwrap();
    let outcome = operator.has_done(Kind::Verify, &USERS, Request::default()).await;
    assert_eq!((outcome.left_out, outcome.differences.len()), (1, 0), "{outcome:?}");
    operator.ends().await;
}

/// However often, and wherever, whoever works on it ends, somebody else brings it to its end.
async fn a_rebuild_survives_a_crash_between_any_two_statements(mut tizza: Tizza) {
    something(&mut tizza).await;
    let operator = Operator::of(&tizza).await;
    for first in (1..60).step_by(7) {
        let id = operator.ask(Kind::Rebuild, &REACTIONS, Request::default()).await;
        let runner = operator.runner();
        let mut crashes = 0;
        while operator.job(id).await.state == State::Running {
            crashes += usize::from(polled(first + 5 * crashes, runner.step()).await.is_none());
        }
        assert!(crashes > 0, "it ended somewhere");
        let outcome = operator.job(id).await.outcome.unwrap();
        assert!(outcome.swapped && outcome.differences.is_empty(), "{outcome:?}");
        operator.assert_read().await;
        let left = operator.generations(&REACTIONS).await;
        assert!(left.iter().all(|(_, role, _)| *role == Role::Folded), "{left:?}");
        assert_eq!(left.iter().filter(|(.., is_live)| *is_live).count(), 1);
    }
    aged(&tizza).await;
    projector::jobs::cleanup(&tizza.store, std::time::Duration::ZERO, &[]).await.unwrap();
    assert_eq!(operator.generations(&REACTIONS).await.len(), 1);
    operator.assert_read().await;
    operator.ends().await;
}

/// However much room is left: sooner or later it is too little, and nothing is half done.
#[tokio::test]
async fn without_room_on_the_disk_nothing_live_is_touched() {
    let mut tizza = Tizza::at(Place::sqlite()).await;
    something(&mut tizza).await;
    let operator = Operator::of(&tizza).await;
    operator.assert_read().await;
    let mut refused = 0;
    for room in 0..40 {
        let pages = count(&tizza, "select page_count from pragma_page_count()").await;
        pragma(&tizza, &format!("pragma max_page_count = {}", pages + room)).await;
        let job = operator.does(Kind::Rebuild, &REACTIONS, Request::default()).await;
        pragma(&tizza, "pragma max_page_count = 1000000").await;
        if job.state == State::Done {
            break;
        }
        refused += 1;
        let outcome = job.outcome.unwrap();
        assert!(outcome.error.as_deref().is_some_and(|error| error.starts_with("there is no room on the disk")), "{outcome:?}");
        assert_eq!(operator.generations(&REACTIONS).await.iter().filter(|(.., is_live)| *is_live).count(), 1);
        operator.assert_read().await;
    }
    assert!((1..40).contains(&refused), "{refused} were refused");
    operator.assert_read().await;
    operator.ends().await;
}

async fn pragma(tizza: &Tizza, sql: &str) {
    let database::Either::Sqlite(db) = &tizza.store.database.writer else { unreachable!("it is in a file") };
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(db).await.unwrap();
}

/// As if all of it had been a minute ago.
async fn aged(tizza: &Tizza) {
    broken(tizza, "update generations set retired_at = retired_at - 60").await;
}

/// Waits until all generations have folded a partition.
async fn folded_up(tizza: &Tizza, subject: uuid::Uuid) {
    let partition = Partition::of(subject);
    let head = tizza.log.head(partition).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let all =
        |found: read_store::Progress| found.iter().filter(|((view, _), _)| view != "tally").all(|(_, at)| at[partition.index()] == head);
    while !all(tizza.store.checkpoints().await.unwrap()) {
        assert!(std::time::Instant::now() < deadline, "every generation is folded");
        tokio::task::yield_now().await;
    }
}

async fn broken(tizza: &Tizza, sql: &'static str) {
    let changed = database::on!(&tizza.store.database.writer, |db| sqlx::query(sql).execute(db).await.unwrap().rows_affected());
    assert!(changed > 0, "{sql}");
}

async fn count(tizza: &Tizza, sql: &'static str) -> i64 {
    database::on!(&tizza.store.database.reader, |db| sqlx::query_scalar(sql).fetch_one(db).await.unwrap())
}

on_both! {
    a_rebuild_is_verified_and_swapped_in_and_the_old_rows_can_be_had_back,
    a_second_rebuild_right_after_the_first_gives_the_same_rows,
    a_dry_run_stops_before_the_swap_and_goes_on_from_there,
    verifying_says_which_rows_differ_and_leaves_nothing_behind,
    what_was_aborted_or_failed_is_dropped_and_nothing_live_is_touched,
    a_copy_is_as_it_was_then_but_for_those_who_are_deleted,
    who_is_erased_is_left_out_of_a_comparison_while_the_live_rows_wait_for_it,
    a_rebuild_survives_a_crash_between_any_two_statements,
}
