//! However a history is cut and interleaved, the rows are the same, and those that plain counting expects.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta};
use database::on;
use event_log::Recorded;
use events::likes::Reaction;
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    history::{
        Act::{
            Approve, ChangePassword, ChangePizza, ChangePlace, ChangeProfile, Close, Create, DeleteAccount, MakeSuperuser, Open, React,
            SetStaff, ShutOut, SignUp, TakeOff, WithdrawApproval,
        },
        History, pizza,
    },
    model::Model,
    rows::Rows,
    setup::Place,
};

/// Some sixty events at most, most of them reactions.
pub fn histories() -> impl Strategy<Value = History> {
    let reaction = prop::sample::select(vec![Some(Reaction::Like), Some(Reaction::Like), Some(Reaction::Dislike), None]);
    let act = prop_oneof![
        1 => (0..4usize).prop_map(SignUp),
        1 => (0..4usize).prop_map(DeleteAccount),
        1 => (0..4usize).prop_map(MakeSuperuser),
        1 => (0..4usize).prop_map(ChangePassword),
        1 => (0..4usize, 0..6usize).prop_map(|(user, k)| ChangeProfile(user, k)),
        1 => (0..4usize, any::<bool>()).prop_map(|(user, is_staff)| SetStaff(user, is_staff)),
        1 => (0..4usize, any::<bool>()).prop_map(|(user, out)| ShutOut(user, out)),
        1 => (0..3usize, 0..6usize).prop_map(|(place, k)| ChangePlace(place, k)),
        2 => (0..6usize, 0..6usize).prop_map(|(pizza, k)| ChangePizza(pizza, k)),
        1 => (0..3usize).prop_map(Open),
        1 => (0..3usize).prop_map(Close),
        2 => (0..6usize).prop_map(Create),
        2 => (0..6usize).prop_map(Approve),
        1 => (0..6usize).prop_map(WithdrawApproval),
        1 => (0..6usize).prop_map(TakeOff),
        16 => (0..4usize, 0..6usize, reaction).prop_map(|(user, pizza, reaction)| React(user, pizza, reaction)),
    ];
    prop::collection::vec(act, 1..55).prop_map(|acts| History::of(&acts))
}

/// Which partition goes on, and with how many events; again from the start until all are folded.
pub type Cuts = Vec<(usize, usize)>;

pub fn cuts() -> impl Strategy<Value = Cuts> {
    prop::collection::vec((0..16usize, 1..9usize), 1..40)
}

pub async fn fold_whole(rows: &Rows, history: &History) {
    rows.clear().await;
    for events in history.partitions().into_values() {
        rows.fold(&events).await;
    }
}

async fn fold_cut(rows: &Rows, history: &History, cuts: &Cuts) {
    rows.clear().await;
    for batch in cut(history.partitions().into_values(), cuts) {
        rows.fold(&batch).await;
    }
}

/// Partitions in batches, one after the other.
pub fn cut(partitions: impl Iterator<Item = Vec<Recorded>>, cuts: &Cuts) -> Vec<Vec<Recorded>> {
    let mut partitions: Vec<_> = partitions.map(VecDeque::from).collect();
    let mut batches = vec![];
    for (partition, size) in cuts.iter().cycle() {
        if partitions.is_empty() {
            break;
        }
        let next = partition % partitions.len();
        let events = &mut partitions[next];
        batches.push(events.drain(..(*size).min(events.len())).collect());
        partitions.retain(|events| !events.is_empty());
    }
    batches
}

/// Whether something holds for so many histories; all are folded into the same stores, one after the other.
pub fn holds(cases: u32, runtime: &Runtime, test: impl AsyncFn(History, Cuts)) {
    let config = ProptestConfig { cases, source_file: Some(file!()), ..ProptestConfig::default() };
    let run = |(history, cuts)| {
        runtime.block_on(test(history, cuts));
        Ok(())
    };
    TestRunner::new(config).run(&(histories(), cuts()), run).unwrap_or_else(|failed| panic!("{failed}"));
}

/// The same, on SQLite and, for fewer histories, on Postgres.
fn holds_on_both(cases: [u32; 2], test: impl AsyncFn(&Rows, History, Cuts)) {
    let runtime = Runtime::new().unwrap();
    for (place, cases) in [Some(Place::sqlite()), Place::postgres()].into_iter().flatten().zip(cases) {
        let rows = runtime.block_on(Rows::new(place));
        holds(cases, &runtime, async |history, cuts| test(&rows, history, cuts).await);
    }
}

#[test]
fn any_split_of_a_history_and_any_interleaving_of_partitions_folds_to_the_same_rows() {
    holds_on_both([48, 8], async |rows, history, cuts| {
        fold_whole(rows, &history).await;
        assert_eq!(Model::read(&rows.store).await, Model::of(&history));
        let whole = rows.dump().await;
        fold_cut(rows, &history, &cuts).await;
        assert_eq!(rows.dump().await, whole);
    });
}

#[test]
fn a_history_whose_deleted_users_are_erased_folds_to_the_same_rows() {
    holds_on_both([16, 4], async |rows, history, cuts| {
        fold_whole(rows, &history).await;
        let whole = rows.dump().await;
        fold_cut(rows, &history.erased(), &cuts).await;
        assert_eq!(rows.dump().await, whole);
    });
}

#[test]
fn a_history_folds_to_the_same_rows_on_both_databases() {
    let Some(place) = Place::postgres() else { return };
    let runtime = Runtime::new().unwrap();
    let (sqlite, postgres) = runtime.block_on(async { (Rows::new(Place::sqlite()).await, Rows::new(place).await) });
    holds(12, &runtime, async |history, cuts| {
        fold_whole(&sqlite, &history).await;
        fold_cut(&postgres, &history, &cuts).await;
        assert_eq!(postgres.dump().await, sqlite.dump().await);
    });
}

/// Lists are read by `order by created_at`.
#[tokio::test]
async fn rows_in_the_order_of_their_times_are_in_the_order_of_the_events() {
    let events = History::of(&[Open(0), Create(1), Create(0)]).partitions().into_values().next().unwrap();
    let created: Vec<_> = events.into_iter().filter(|event| event.event_type == "PizzaCreated").collect();
    for place in [Some(Place::sqlite()), Place::postgres()].into_iter().flatten() {
        let rows = Rows::new(place).await;
        for later in [1, 1_000, 1_001, 500_000] {
            let mut created = created.clone();
            created[1].recorded_at = DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_000_000 + later);
            created[0].recorded_at = DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_000_000);
            rows.clear().await;
            rows.fold(&created).await;
            let live = rows.store.live().await.unwrap();
            let sql = live.sql("select pizza_id from {pizzas} order by created_at");
            let order: Vec<Uuid> = on!(&rows.store.database.reader, |db| sqlx::query_scalar(sql).fetch_all(db).await.unwrap());
            assert_eq!(order, [pizza(1).0, pizza(0).0], "{later} microseconds later");
        }
    }
}
