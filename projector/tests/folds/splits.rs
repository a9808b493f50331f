//! However a history is cut and interleaved, the rows are the same, and those that plain counting expects.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta};
use event_log::Recorded;
use proptest::prelude::*;
use uuid::Uuid;

use crate::{
    history::{
        Act::{Create, Open},
        History, histories, pizza,
    },
    model::Model,
    setup::Rows,
};

/// Which partition goes on, and with how many events; again from the start until all are folded.
fn cuts() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..16usize, 1..9usize), 1..40)
}

async fn fold_whole(history: &History) -> Rows {
    let rows = Rows::new().await;
    for events in history.partitions().into_values() {
        rows.fold(&events).await;
    }
    rows
}

async fn fold_cut(history: &History, cuts: &[(usize, usize)]) -> Rows {
    let rows = Rows::new().await;
    let mut partitions: Vec<VecDeque<Recorded>> = history.partitions().into_values().map(VecDeque::from).collect();
    for (partition, size) in cuts.iter().cycle() {
        if partitions.is_empty() {
            break;
        }
        let next = partition % partitions.len();
        let events = &mut partitions[next];
        let batch: Vec<_> = events.drain(..(*size).min(events.len())).collect();
        rows.fold(&batch).await;
        partitions.retain(|events| !events.is_empty());
    }
    rows
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_of_a_history_and_any_interleaving_of_partitions_folds_to_the_same_rows(history in histories(), cuts in cuts()) {
        block_on(async {
            let whole = fold_whole(&history).await;
            assert_eq!(Model::read(&whole.store).await, Model::of(&history.acts));
            let cut = fold_cut(&history, &cuts).await;
            assert_eq!(cut.dump().await, whole.dump().await);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_history_whose_deleted_users_are_erased_folds_to_the_same_rows(history in histories(), cuts in cuts()) {
        block_on(async {
            let erased = fold_cut(&history.erased(), &cuts).await;
            assert_eq!(erased.dump().await, fold_whole(&history).await.dump().await);
        });
    }
}

/// Lists are read by `order by created_at`.
#[tokio::test]
async fn rows_in_the_order_of_their_times_are_in_the_order_of_the_events() {
    let events = History::of(&[Open(0), Create(1), Create(0)]).partitions().into_values().next().unwrap();
    let created: Vec<_> = events.into_iter().filter(|event| event.event_type == "PizzaCreated").collect();
    for later in [1, 1_000, 1_001, 500_000] {
        let mut created = created.clone();
        created[1].recorded_at = DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_000_000 + later);
        created[0].recorded_at = DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_000_000);
        let rows = Rows::new().await;
        rows.fold(&created).await;
        let live = rows.store.live().await.unwrap();
        let sql = live.sql("select pizza_id from {pizzas} order by created_at");
        let order: Vec<Uuid> = sqlx::query_scalar(sql).fetch_all(&rows.store.database.reader).await.unwrap();
        assert_eq!(order, [pizza(1).0, pizza(0).0], "{later} microseconds later");
    }
}
