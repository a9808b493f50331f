//! What was remembered is old.

use tokio::task::JoinSet;

use super::*;

on_both! {
    what_another_process_ended_is_gone_and_not_changed,
    what_another_process_changed_is_changed_further,
    nothing_is_accepted_for_an_account_that_another_process_deleted,
    that_there_is_nothing_to_do_is_decided_again_when_it_rests_on_the_past,
    a_rejection_is_decided_again_when_it_rests_on_the_past,
    concurrent_changes_of_one_thing_wait_for_each_other,
    many_commands_on_one_stream_share_commits,
    of_many_who_want_the_same_one_changes_it_and_none_is_refused,
    who_had_nothing_to_do_is_shown_the_end_of_the_partition,
    of_many_who_want_a_name_exactly_one_gets_it,
    a_place_that_another_opened_meanwhile_is_not_changed_by_a_stranger,
    who_became_the_first_superuser_meanwhile_is_not_deleted,
    who_was_suspended_meanwhile_does_not_change_the_profile,
}

async fn what_another_process_ended_is_gone_and_not_changed(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let close = pizzerias::Command::Close { reason: PizzeriaClosure::Owner };
    send::<Pizzeria>(b, TRATTORIA.0, &close).await.unwrap();
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await), Err(Slug::Gone));
    assert_eq!(stored(a, TRATTORIA.0).await, ["PizzeriaOpened", "PizzeriaClosed"]);
}

async fn what_another_process_changed_is_changed_further(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    send::<Pizzeria>(b, TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Ada")).await), Ok(3));
    assert_eq!(told(send::<Pizzeria>(b, TRATTORIA.0, &rename("Da Grace")).await), Ok(4));
}

async fn nothing_is_accepted_for_an_account_that_another_process_deleted(place: Place) {
    let Tizza { a, .. } = &Tizza::without_ada(place).await;
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await), Err(Slug::Unauthenticated));
    assert_eq!(stored(a, TRATTORIA.0).await, ["PizzeriaOpened"]);
}

async fn that_there_is_nothing_to_do_is_decided_again_when_it_rests_on_the_past(place: Place) {
    let Tizza { a, .. } = &Tizza::without_ada(place).await;
    assert_eq!(told(send::<Pizzeria>(a, TRATTORIA.0, &open()).await), Err(Slug::Unauthenticated));
}

async fn a_rejection_is_decided_again_when_it_rests_on_the_past(place: Place) {
    let Tizza { a, .. } = &Tizza::without_ada(place).await;
    let nowhere = Uuid::from_u128(9);
    assert_eq!(told(send::<Pizzeria>(a, nowhere, &rename("Da Grace")).await), Err(Slug::Unauthenticated));
}

async fn concurrent_changes_of_one_thing_wait_for_each_other(place: Place) {
    let Tizza { a, .. } = &Tizza::new(place).await;
    let change = |(app, n)| async move { told(send::<Pizza>(&app, MARGHERITA.0, &retitle(format!("Margherita {n}"))).await) };
    let changes: JoinSet<_> = (0..20).map(|n| change((a.clone(), n))).collect();
    let mut versions = changes.join_all().await;
    versions.sort_by_key(|version| version.unwrap_or_default());
    assert_eq!(versions, (2..=21).map(Ok).collect::<Vec<_>>());
    assert_eq!(titles(a).await, (0..20).map(|n| format!("Margherita {n}")).collect());
}

async fn many_commands_on_one_stream_share_commits(place: Place) {
    let Tizza { a, .. } = &Tizza::new(place).await;
    let before = a.log.batches();
    let change = |(app, n)| async move { told(send::<Pizza>(&app, MARGHERITA.0, &retitle(format!("Margherita {n}"))).await) };
    let changes: JoinSet<_> = (0..100).map(|n| change((a.clone(), n))).collect();
    assert!(changes.join_all().await.iter().all(Result::is_ok));
    let after = a.log.batches();
    assert!(after.batches - before.batches < 100, "{} batches", after.batches - before.batches);
    assert_eq!(stored(a, MARGHERITA.0).await.len(), 101);
}

async fn of_many_who_want_the_same_one_changes_it_and_none_is_refused(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let change = |app: App| async move { told(send::<Pizza>(&app, MARGHERITA.0, &retitle("Marinara".into())).await) };
    let changes: JoinSet<_> = (0..40).map(|n| change([a, b][n % 2].clone())).collect();
    assert_eq!(changes.join_all().await, vec![Ok(2); 40]);
    assert_eq!(stored(a, MARGHERITA.0).await, ["PizzaCreated", "PizzaChanged"]);
}

async fn who_had_nothing_to_do_is_shown_the_end_of_the_partition(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let renamed = send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    send::<Pizza>(b, MARGHERITA.0, &retitle("Bufala".into())).await.unwrap();
    let again = send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await.unwrap();
    let position = a.log.head(Partition::of(ADA.0)).await.unwrap();
    assert_eq!(again.token, ConsistencyToken { position, ..renamed.token });
    assert_eq!((position, again.version), (renamed.token.position + 1, renamed.version));
}

async fn of_many_who_want_a_name_exactly_one_gets_it(place: Place) {
    let Tizza { a, b, .. } = &Tizza::empty(place).await;
    let wish = |(app, n): (App, u128)| async move { told(sign_up(&app, UserId(Uuid::from_u128(n)), ["Ada", "aDA"][n as usize % 2]).await) };
    let wishes: JoinSet<_> = (0..20).map(|n| wish(([a, b][n as usize / 2 % 2].clone(), n))).collect();
    let answers = wishes.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| [Ok(1), Err(Slug::UsernameTaken)].contains(answer)), "{answers:?}");
}

const GRACE: UserId = UserId(Uuid::from_u128(7));

async fn a_place_that_another_opened_meanwhile_is_not_changed_by_a_stranger(place: Place) {
    let Tizza { a, b, .. } = &Tizza::empty(place).await;
    sign_up(a, ADA, "Ada").await.unwrap();
    sign_up(a, GRACE, "Grace").await.unwrap();
    let answer = a
        .execute::<Pizzeria, _, _>(&origin(), TRATTORIA.0, |look| async move {
            users::active(&look, GRACE.0).await?;
            if look.find::<Pizzeria>(TRATTORIA.0).await?.is_some() {
                return Err(Problem::not_found()); // what pizzerias::http::role says to a stranger
            }
            send::<Pizzeria>(b, TRATTORIA.0, &open()).await.unwrap(); // Ada, in the other process
            let details = pizzerias::Details { name: "Grace was here".into(), address: String::new().into(), phone: String::new().into() };
            Ok(Intent { command: pizzerias::Command::Put { pizzeria_id: TRATTORIA, owner_id: GRACE, owned: 0, details }, subject: GRACE.0 })
        })
        .await;
    assert_eq!(told(answer), Err(Slug::NotFound));
}

async fn who_became_the_first_superuser_meanwhile_is_not_deleted(place: Place) {
    use users::superusers::{self, Superusers};
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let answer = a
        .execute::<User, _, _>(&origin(), ADA.0, |look| async move {
            users::active(&look, ADA.0).await?;
            let is_superuser = users::is_superuser(&look, ADA.0).await?;
            if !is_superuser {
                send::<Superusers>(b, events::ids::superusers(), &superusers::Command::GrantFirst { user_id: ADA }).await.unwrap();
            }
            Ok(Intent { command: users::Command::Delete { reason: UserDeletion::SelfRequested, is_superuser }, subject: ADA.0 })
        })
        .await;
    assert_eq!(told(answer), Err(Slug::Conflict));
}

async fn who_was_suspended_meanwhile_does_not_change_the_profile(place: Place) {
    let Tizza { a, b, .. } = &Tizza::new(place).await;
    let answer = a
        .execute::<User, _, _>(&origin(), ADA.0, |look| async move {
            users::active(&look, ADA.0).await?;
            let suspend = users::Command::Suspend { reason: None, is_superuser: false };
            let _ = send::<User>(b, ADA.0, &suspend).await;
            // Another request of hers, in the same process, finds out first.
            let _ = send::<Pizzeria>(a, TRATTORIA.0, &rename("Da Grace")).await;
            let change = users::ProfileChange {
                first_name: service_kit::fields::Patch::Set(Field::read(&json!("Augusta")).unwrap()),
                ..Default::default()
            };
            Ok(Intent { command: users::Command::ChangeProfile(change), subject: ADA.0 })
        })
        .await;
    assert_eq!(told(answer), Err(Slug::Unauthenticated));
}
