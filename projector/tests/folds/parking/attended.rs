//! What operators do with parked events.

use event_log::{Partition, Position};
use events::likes::Reaction::{Dislike, Like};
use projector::{
    Folds, ParkingError, Prepared, Step,
    operations::Retried,
    parking::{self, Attendant},
    projection,
    users::Users,
};
use read_store::views;

use super::doubles::{Flaw, Fragile};
use crate::{
    history::{
        Act::{ChangeProfile, DeleteAccount, React, SetStaff, SignUp},
        user,
    },
    rows::{dump, dump_of},
    setup::{Tizza, drain, on_both},
};

fn id(projection: &str, user: usize, position: Position) -> String {
    format!("{projection}.1.{}.{position}", Partition::of(self::user(user).0).number())
}

/// Retries the first parked event of each stream until nothing is left; each stream must be folded whole.
async fn retry_all(tizza: &Tizza) {
    for projection in ["users", "pizzerias", "pizzas", "reactions", "tally"] {
        for (id, is_first) in tizza.parked(projection).await {
            if is_first {
                assert_eq!(tizza.retry(&id).await.unwrap().left, 0);
            }
        }
    }
    assert_eq!(parking::list(&tizza.store, None, 10).await.unwrap(), (vec![], 0));
    assert!(tizza.store.parked_counts().await.unwrap().iter().all(|(_, parked)| *parked == 0));
}

async fn what_is_retried_after_it_was_mended_is_as_if_it_had_never_been_broken(mut tizza: Tizza) {
    tizza.goes_wrong(SignUp(1)).await;
    tizza.happens(&[ChangeProfile(1, 1)]).await;
    tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.happens(&[React(1, 0, Some(Dislike)), React(1, 1, Some(Like))]).await;
    tizza.fold_all().await;
    tizza.happens(&[SetStaff(1, true), React(1, 0, Some(Like)), React(0, 0, Some(Like))]).await;
    tizza.fold_all().await;
    tizza.mend().await;
    retry_all(&tizza).await;
    tizza.assert_folded().await;

    // From then on the streams are folded by the worker again.
    tizza.happens(&[React(1, 0, None), SetStaff(1, false)]).await;
    tizza.fold_all().await;
    assert_eq!(parking::list(&tizza.store, None, 10).await.unwrap().1, 0);
    tizza.assert_folded().await;
}

async fn a_retry_goes_up_to_the_first_event_that_cannot_be_folded(mut tizza: Tizza) {
    let first = tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.happens(&[React(1, 0, Some(Dislike))]).await;
    tizza.fold_all().await;
    let before = dump(&tizza.store).await;
    let again = tizza.retry(&id("reactions", 1, first)).await.unwrap();
    assert_eq!(again, Retried { folded: 0, left: 2 });
    assert_eq!(tizza.parked("reactions").await, [(id("reactions", 1, first), true), (id("reactions", 1, first + 1), false)]);
    assert_eq!(dump(&tizza.store).await, before);

    // Mended, and the third one cannot be read.
    tizza.mend().await;
    let third = tizza.goes_wrong(React(1, 0, None)).await;
    tizza.happens(&[React(1, 0, Some(Like))]).await;
    tizza.fold_all().await;
    let since = parking::find(&tizza.store, &id("reactions", 1, third)).await.unwrap();
    assert_eq!(since.reason, None);
    assert_eq!(tizza.retry(&id("reactions", 1, first)).await.unwrap(), Retried { folded: 2, left: 2 });
    assert_eq!(tizza.parked("reactions").await, [(id("reactions", 1, third), true), (id("reactions", 1, third + 1), false)]);
    assert_eq!(parking::find(&tizza.store, &id("reactions", 1, third)).await.unwrap().parked_at, since.parked_at);
    tizza.mend().await;
    retry_all(&tizza).await;
    tizza.assert_folded().await;
}

async fn a_retry_finds_out_which_event_a_fold_panics_with(tizza: Tizza) {
    found_out(tizza, Flaw::Panic).await;
}

async fn a_retry_finds_out_which_event_makes_rows_that_the_database_refuses(tizza: Tizza) {
    found_out(tizza, Flaw::Refused).await;
}

/// The event that cannot be read is mended, and a fold cannot cope with a later one of its stream.
async fn found_out(mut tizza: Tizza, flaw: Flaw) {
    let first = tizza.goes_wrong(React(1, 2, Some(Dislike))).await;
    tizza.happens(&[React(1, 2, None), React(1, 2, Some(Dislike)), React(1, 2, Some(Like)), React(1, 2, None)]).await;
    tizza.fold_all().await;
    tizza.mend().await;
    let fragile = Fragile::new(flaw, &[2]);
    tizza.replace(fragile.clone());
    assert_eq!(tizza.retry(&id("reactions", 1, first)).await.unwrap(), Retried { folded: 3, left: 2 });
    let left = [(id("reactions", 1, first + 3), true), (id("reactions", 1, first + 4), false)];
    assert_eq!(tizza.parked("reactions").await, left);
    fragile.mend();
    retry_all(&tizza).await;
    tizza.assert_folded().await;
}

async fn what_is_skipped_is_never_folded_and_what_waits_behind_it_is(mut tizza: Tizza) {
    let broken = tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.happens(&[React(1, 0, Some(Dislike)), React(1, 1, Some(Like))]).await;
    tizza.fold_all().await;
    let skipped = tizza.skip(&id("reactions", 1, broken)).await.unwrap();
    assert_eq!(skipped, Retried { folded: 1, left: 0 });
    let last = tizza.goes_wrong(React(1, 2, Some(Like))).await;
    tizza.fold_all().await;
    assert_eq!(tizza.skip(&id("reactions", 1, last)).await.unwrap(), Retried { folded: 0, left: 0 });
    assert_eq!(tizza.parked("reactions").await, []);
    let rows = dump(&tizza.store).await;
    assert_eq!(rows["reactions"].len(), 2);
    assert!(rows["reactions"].iter().any(|row| row.to_string().contains("dislike")));

    // Not even once it is mended, in any generation of this version.
    tizza.mend().await;
    let mut tizza = tizza.restarted().await;
    assert_eq!(tizza.another_generation("reactions").await, 2);
    tizza.fold_all().await;
    assert_eq!(tizza.parked("reactions").await, []);
    let of = |generation| dump_of(&tizza.store, &views::REACTIONS, generation);
    assert_eq!(of(1).await, of(2).await);
    assert_eq!(dump(&tizza.store).await, rows);
    let view = &views::REACTIONS;
    let skips = tizza.store.skipped(view.name, view.version, Partition::of(user(1).0)).await.unwrap();
    assert_eq!(skips.into_iter().collect::<Vec<_>>(), [broken, last]);
}

async fn an_event_is_skipped_in_every_generation_where_it_is_parked(mut tizza: Tizza) {
    let broken = tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.happens(&[React(1, 0, Some(Dislike))]).await;
    tizza.another_generation("reactions").await;
    tizza.fold_all().await;
    assert_eq!(tizza.parked("reactions").await.len(), 4);
    tizza.skip(&id("reactions", 1, broken)).await.unwrap();
    assert_eq!(tizza.parked("reactions").await, []);
    let of = |generation| dump_of(&tizza.store, &views::REACTIONS, generation);
    assert_eq!(of(1).await, of(2).await);
    assert_eq!(of(1).await["reactions"].len(), 1);
}

async fn a_deletion_that_could_not_be_read_discards_and_deletes_once_it_is_mended(mut tizza: Tizza) {
    tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.happens(&[React(1, 1, Some(Like)), SetStaff(1, true)]).await;
    let deletion = tizza.goes_wrong(DeleteAccount(1)).await;
    tizza.fold_all().await;
    assert_eq!(tizza.parked("reactions").await.len(), 2);
    tizza.mend().await;
    for projection in ["reactions", "users", "pizzerias"] {
        assert_eq!(tizza.retry(&id(projection, 1, deletion)).await.unwrap(), Retried { folded: 1, left: 0 });
        assert_eq!(tizza.parked(projection).await, []);
    }
}

async fn what_is_before_a_deletion_that_still_cannot_be_read_is_folded(mut tizza: Tizza) {
    let first = tizza.goes_wrong(SignUp(1)).await;
    tizza.happens(&[SetStaff(1, true)]).await;
    tizza.fold_all().await;
    tizza.mend().await;
    let deletion = tizza.goes_wrong(DeleteAccount(1)).await;
    tizza.fold_all().await;
    assert_eq!(tizza.retry(&id("users", 1, first)).await.unwrap(), Retried { folded: 2, left: 1 });
    assert_eq!(tizza.parked("users").await, [(id("users", 1, deletion), true)]);
    assert_eq!(dump(&tizza.store).await["users"].len(), 1);
    tizza.mend().await;
    assert_eq!(tizza.retry(&id("users", 1, deletion)).await.unwrap(), Retried { folded: 1, left: 0 });
    assert_eq!(dump(&tizza.store).await["users"].len(), 0);
}

async fn what_cannot_be_done_is_said_with_its_reason(mut tizza: Tizza) {
    let broken = tizza.goes_wrong(React(1, 0, Some(Like))).await;
    tizza.happens(&[React(1, 0, Some(Dislike))]).await;
    tizza.fold_all().await;
    let behind = id("reactions", 1, broken + 1);
    for refused in [tizza.retry(&behind).await, tizza.skip(&behind).await] {
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!("{behind} waits behind {}, which must be folded or skipped first", id("reactions", 1, broken))
        );
    }
    assert!(matches!(tizza.retry("reactions.1.1").await, Err(ParkingError::Malformed(_))));
    for unknown in ["reactions.1.1.1", "reactions.7.1.1", "cats.1.1.1"] {
        assert!(matches!(tizza.retry(unknown).await, Err(ParkingError::NotParked(_))), "{unknown}");
        assert!(matches!(parking::find(&tizza.store, unknown).await, Err(ParkingError::NotParked(_))), "{unknown}");
    }
    let first = id("reactions", 1, broken);
    let other = [projection::of::<Users>()];
    let attendant = Attendant { log: &tizza.log, store: &tizza.store, projections: &other };
    assert!(matches!(attendant.retry(&first).await, Err(ParkingError::Version { version: 3, .. })));
    tizza.sql("update generations set state = 'building' where projection = 'reactions'").await;
    assert!(matches!(tizza.retry(&first).await, Err(ParkingError::Building(_))));
    assert!(matches!(tizza.skip(&first).await, Err(ParkingError::Building(_))));
    assert_eq!(tizza.parked("reactions").await.len(), 2);
}

async fn a_copy_takes_deletions_and_nothing_else(mut tizza: Tizza) {
    let partition = Partition::of(user(1).0);
    tizza.happens(&[React(1, 0, Some(Like))]).await;
    let copy = tizza.another_generation("reactions").await;
    tizza.fold_all().await;
    tizza.happens(&[React(1, 1, Some(Like))]).await;
    tizza.goes_wrong(React(1, 2, Some(Like))).await;
    let projection = projection::of::<projector::likes::Reactions>();
    let copies = [Prepared { projection, generation: copy, folds: Folds::Deletions }];
    let source = projector::Source::Log(tizza.log.clone());
    let mut worker = projector::Worker::new(source, tizza.store.clone(), partition, &copies);
    assert_eq!(drain(&mut worker).await, Step::Idle);
    assert_eq!(tizza.parked("reactions").await, []);
    assert_eq!(dump_of(&tizza.store, &views::REACTIONS, copy).await["reactions"].len(), 1);
    tizza.happens(&[DeleteAccount(1)]).await;
    assert_eq!(drain(&mut worker).await, Step::Idle);
    assert_eq!(dump_of(&tizza.store, &views::REACTIONS, copy).await["reactions"].len(), 0);
    assert_eq!(
        tizza.store.checkpoints().await.unwrap()[&("reactions".into(), copy)][partition.index()],
        tizza.log.head(partition).await.unwrap()
    );
}

on_both! {
    what_is_retried_after_it_was_mended_is_as_if_it_had_never_been_broken,
    a_retry_goes_up_to_the_first_event_that_cannot_be_folded,
    a_retry_finds_out_which_event_a_fold_panics_with,
    a_retry_finds_out_which_event_makes_rows_that_the_database_refuses,
    what_is_skipped_is_never_folded_and_what_waits_behind_it_is,
    an_event_is_skipped_in_every_generation_where_it_is_parked,
    a_deletion_that_could_not_be_read_discards_and_deletes_once_it_is_mended,
    what_is_before_a_deletion_that_still_cannot_be_read_is_folded,
    what_cannot_be_done_is_said_with_its_reason,
    a_copy_takes_deletions_and_nothing_else,
}
