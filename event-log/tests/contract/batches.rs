//! Within one batch it is as if its members had come one after the other. Tasks take turns here: what is asked for in one go waits together.

use event_log::{Append, AppendError, ClaimKey, CommandKey, EventLog, Key, LinkChange, NewEvent, Outcome};
use uuid::Uuid;

use crate::{
    claims::{giving_back, taking},
    place::{Answer, Place, accepted, append, event, on_both, outcomes, stream_in},
    reads::{OWNER, at_most, linking, reading, rests_on},
};
on_both! {
    one_thread:
    wishes_of_one_stream_follow_each_other,
    a_batch_is_no_larger_than_it_may_be,
    a_name_is_taken_given_back_and_taken_by_another_stream,
    a_name_that_is_another_s_stays_so_whatever_is_done_to_it_meanwhile,
    a_read_is_of_what_the_wish_before_has_left,
    links_are_counted_as_they_are_made_and_taken_away,
    a_wish_that_is_there_twice_is_written_once,
    a_key_is_known_within_the_batch,
    only_the_member_that_the_database_refuses_is_refused,
    a_member_that_is_refused_takes_those_along_that_built_on_it,
    a_queue_that_is_full_refuses_and_what_was_accepted_is_written,
}

/// In one partition, hence of one writer, and one transaction.
async fn in_one_batch(log: &EventLog, wishes: Vec<Append>) -> Vec<Outcome> {
    let (before, count) = (log.batches(), wishes.len() as u64);
    assert!(wishes.iter().all(|wish| wish.partition == wishes[0].partition));
    let outcomes = outcomes(log, wishes).await;
    let after = log.batches();
    assert_eq!((after.batches - before.batches, after.commands - before.commands), (1, count));
    outcomes
}

/// Streams of one partition.
fn stream(n: u128) -> u128 {
    stream_in(6, n << 32)
}

fn appended(version: i64, position: i64) -> Outcome {
    Outcome::Appended { version, position }
}

async fn wishes_of_one_stream_follow_each_other(place: Place) {
    let log = place.log().await;
    let [a, b] = [stream(1), stream(2)];
    let two = Append { events: vec![event("{}"), event("{}")], ..append(a, 1) };
    let good = vec![append(a, 0), two, append(b, 0), append(a, 3)];
    assert_eq!(in_one_batch(&log, good).await, [appended(1, 1), appended(3, 3), appended(1, 4), appended(4, 5)]);

    let mixed = vec![append(a, 3), append(a, 4), append(a, 4), append(b, 1), append(a, 5), append(b, 0)];
    let conflict = |actual| Outcome::Conflict { actual };
    let expected = [conflict(4), appended(5, 6), conflict(5), appended(2, 7), appended(6, 8), conflict(2)];
    assert_eq!(in_one_batch(&log, mixed).await, expected);
    assert_eq!(place.stored().await.events.len(), 8);
}

async fn a_batch_is_no_larger_than_it_may_be(place: Place) {
    let log = place.log().await;
    let large = |n| Append { events: vec![event(&"x".repeat(200 * 1024))], ..append(stream(n), 0) };
    assert!(outcomes(&log, (0..12).map(large)).await.iter().all(accepted));
    assert_eq!(log.batches().batches, 3, "of a megabyte at most");
    assert!(outcomes(&log, (100..700).map(|n| append(stream(n), 0))).await.iter().all(accepted));
    assert_eq!(log.batches().batches, 3 + 3, "of 256 at most");
    assert_eq!(place.stored().await.events.len(), 612);
}

async fn a_name_is_taken_given_back_and_taken_by_another_stream(place: Place) {
    let log = place.log().await;
    let name = ClaimKey::new([1; 32]).claim("name", "ada");
    let [a, b, c] = [stream(1), stream(2), stream(3)];
    let wishes = vec![taking(a, 0, &[name]), taking(b, 0, &[name]), giving_back(a, 1, name), taking(c, 0, &[name])];
    let expected = [appended(1, 1), Outcome::ClaimTaken(name), appended(2, 2), appended(1, 3)];
    assert_eq!(in_one_batch(&log, wishes).await, expected);
    assert_eq!(place.stored().await.claims.into_values().collect::<Vec<_>>(), [Uuid::from_u128(c)]);

    let wishes = vec![giving_back(c, 1, name), taking(a, 2, &[name]), giving_back(a, 3, name), giving_back(c, 2, name)];
    assert!(in_one_batch(&log, wishes).await.iter().all(accepted));
    assert!(place.stored().await.claims.is_empty());
}

async fn a_name_that_is_another_s_stays_so_whatever_is_done_to_it_meanwhile(place: Place) {
    let log = place.log().await;
    let name = ClaimKey::new([1; 32]).claim("name", "ada");
    let [holder, a] = [stream(1), stream(2)];
    assert!(accepted(&log.append(taking(holder, 0, &[name])).await.unwrap()));
    let wishes = vec![taking(a, 0, &[name]), giving_back(a, 1, name)];
    assert_eq!(in_one_batch(&log, wishes).await, [Outcome::ClaimTaken(name), Outcome::Conflict { actual: 0 }]);
    let stored = place.stored().await;
    assert_eq!((stored.events.len(), stored.claims[&name.0[..]]), (1, Uuid::from_u128(holder)));
}

async fn a_read_is_of_what_the_wish_before_has_left(place: Place) {
    let log = place.log().await;
    let [ground, a, b, c] = [stream(1), stream(2), stream(3), stream(4)];
    let wishes =
        vec![reading(a, 0, rests_on(ground, 0)), append(ground, 0), reading(b, 0, rests_on(ground, 0)), reading(c, 0, rests_on(ground, 1))];
    let expected = [appended(1, 1), appended(1, 2), Outcome::Stale(rests_on(ground, 0)), appended(1, 3)];
    assert_eq!(in_one_batch(&log, wishes).await, expected);
    assert_eq!(place.stored().await.events.len(), 3);
}

async fn links_are_counted_as_they_are_made_and_taken_away(place: Place) {
    let log = place.log().await;
    let limited = |stream, present, links| Append { reads: vec![at_most(links)], ..linking(stream, 0, present) };
    let wishes = vec![limited(stream(1), true, 0), limited(stream(2), true, 1), limited(stream(3), true, 1), limited(stream(4), true, 2)];
    let expected = [appended(1, 1), appended(1, 2), Outcome::Stale(at_most(1)), appended(1, 3)];
    assert_eq!(in_one_batch(&log, wishes).await, expected);

    // What is made again or was never there changes no number.
    let wishes = vec![linking(stream(1), 1, true), limited(stream(5), false, 3), limited(stream(6), true, 2), linking(stream(1), 2, false)];
    let expected = [appended(2, 4), appended(1, 5), Outcome::Stale(at_most(2)), appended(3, 6)];
    assert_eq!(in_one_batch(&log, wishes).await, expected);
    let again = LinkChange { kind: "of-owner", key: OWNER, present: true };
    let and_back = Append { links: vec![again.clone(), LinkChange { present: false, ..again }], ..append(stream(7), 0) };
    assert!(accepted(&in_one_batch(&log, vec![and_back]).await[0]));
    let linked: Vec<_> = place.stored().await.links.into_iter().map(|link| link.2.as_u128()).collect();
    assert_eq!(linked, [stream(2), stream(4)]);
}

async fn a_wish_that_is_there_twice_is_written_once(place: Place) {
    let log = place.log().await;
    let wish = append(stream(1), 0);
    assert_eq!(in_one_batch(&log, vec![wish.clone(), wish]).await, [appended(1, 1), appended(1, 1)]);
    assert_eq!(place.stored().await.events.len(), 1);
}

async fn a_key_is_known_within_the_batch(place: Place) {
    let log = place.log().await;
    let keyed = |stream, body| {
        let key = CommandKey { key: Key([1; 32]), fingerprint: Key([body; 32]), kept_for: None };
        Append { key: Some(key), ..append(stream, 0) }
    };
    let outcomes = in_one_batch(&log, vec![keyed(stream(1), 1), keyed(stream(2), 1), keyed(stream(3), 2)]).await;
    assert!(accepted(&outcomes[0]));
    assert!(matches!(&outcomes[1], Outcome::Replayed(told) if told.stream_id.as_u128() == stream(1)));
    assert_eq!(outcomes[2], Outcome::KeyReused);
    assert_eq!(place.stored().await.events.len(), 1);
}

fn bad(wish: Append) -> Append {
    Append { events: vec![NewEvent { event_type: "Bad", ..event("{}") }], ..wish }
}

/// From now on the database itself refuses events of the type `Bad`.
async fn refuse_bad(place: &Place) {
    let refusing = place.sql().await;
    let trigger = "create trigger no_bad before insert on events when new.type = 'Bad' begin select raise(abort, 'no'); end";
    refusing.run(refusing.0.pick(trigger, "alter table events add constraint no_bad check (type <> 'Bad')")).await;
}

async fn all(log: &EventLog, wishes: Vec<Append>) -> Vec<(Append, Answer)> {
    let answers = futures::future::join_all(wishes.iter().map(|wish| log.append(wish.clone()))).await;
    wishes.into_iter().zip(answers).collect()
}

fn is_refused((_, answer): &(Append, Answer)) -> bool {
    matches!(answer, Err(AppendError::Refused(_)))
}

async fn only_the_member_that_the_database_refuses_is_refused(place: Place) {
    let log = place.log().await;
    assert_eq!(in_one_batch(&log, (0..20).map(|n| append(stream(n), 0)).collect()).await.len(), 20, "so many are one batch");
    refuse_bad(&place).await;
    let wishes = (20..40).map(|n| if n == 29 { bad(append(stream(n), 0)) } else { append(stream(n), 0) }).collect();
    let answers = all(&log, wishes).await;
    assert!(answers.iter().enumerate().all(|(n, answer)| is_refused(answer) == (n == 9)), "{answers:?}");
    let mut stored = place.stored().await;
    stored.events.retain(|row| answers.iter().any(|(wish, _)| wish.stream_id == row.stream_id));
    stored.is_what_was_answered(&answers);
    assert_eq!(stored.events.len(), 19);
}

async fn a_member_that_is_refused_takes_those_along_that_built_on_it(place: Place) {
    let log = place.log().await;
    refuse_bad(&place).await;
    let name = ClaimKey::new([1; 32]).claim("name", "ada");
    let [a, b] = [stream(1), stream(2)];
    let refused = bad(Append { ..taking(a, 0, &[name]) });
    let built_on = Append { after: Some(refused.events[0].event_id), ..append(a, 1) };
    let answers = all(&log, vec![refused, built_on, taking(b, 0, &[name]), append(a, 0)]).await;
    assert!(is_refused(&answers[0]));
    assert!(matches!(answers[1].1, Ok(Outcome::Conflict { actual: 0 })));
    assert!(matches!(answers[2].1, Ok(Outcome::Appended { version: 1, position: 1 })), "the name was never taken");
    assert!(matches!(answers[3].1, Ok(Outcome::Appended { version: 1, position: 2 })));
    place.stored().await.is_what_was_answered(&answers);
}

async fn a_queue_that_is_full_refuses_and_what_was_accepted_is_written(place: Place) {
    let log = place.log().await;
    let answers = all(&log, (0..4_100).map(|n| append(stream_in(6, n << 8), 0)).collect()).await;
    let refused = answers.iter().filter(|(_, answer)| matches!(answer, Err(AppendError::Overloaded))).count();
    assert!(refused > 0 && answers.iter().all(|(_, answer)| matches!(answer, Ok(Outcome::Appended { .. }) | Err(AppendError::Overloaded))));
    place.stored().await.is_what_was_answered(&answers);
}
