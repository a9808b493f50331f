//! However a history is cut and interleaved, the same events are parked, and the same rows are there.

use std::collections::BTreeSet;

use event_log::{Partition, Position, Recorded};
use events::Event;
use projector::{Projection, parking};
use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use tokio::runtime::Runtime;

use crate::{
    history::{Act, History},
    rows::Rows,
    setup::{BROKEN, Place, Tizza},
    splits::{Cuts, cut, cuts, histories},
};

/// Histories with a few events that nobody can read.
fn broken_histories() -> impl Strategy<Value = (History, Vec<Index>)> {
    (histories(), prop::collection::vec(any::<Index>(), 0..5))
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, source_file: Some(file!()), ..ProptestConfig::default() })
}

/// As the log would hold it.
fn partitions(history: &History, broken: &[Index]) -> Vec<Vec<Recorded>> {
    let mut history = history.clone();
    for index in broken.iter().filter(|_| !history.events.is_empty()).map(|index| index.index(history.events.len())).collect::<Vec<_>>() {
        history.events[index].event.payload = BROKEN.into();
    }
    history.partitions().into_values().collect()
}

type Parked = BTreeSet<(String, Partition, Position, bool)>;

async fn parked(rows: &Rows) -> Parked {
    let (parked, total) = rows.store.parked(None, 1_000).await.unwrap();
    assert_eq!(parked.len(), total as usize);
    assert_eq!(total, rows.store.parked_counts().await.unwrap().into_iter().map(|(_, parked)| parked).sum::<i64>());
    parked.into_iter().map(|row| (row.projection, row.partition, row.event.position, row.event.reason.is_some())).collect()
}

/// An event is parked if one that cannot be read is before it in its stream, and its person is not deleted after that.
fn expected(projection: &dyn Projection, partition: &[Recorded]) -> Parked {
    let is_broken = |event: &Recorded| Event::decode(&event.event_type, event.schema_version, &event.payload).is_err();
    let deletes = |event: &Recorded| event.event_type == "UserDeleted" && !(projection.lists(&event.event_type) && is_broken(event));
    let is_final = |event: &Recorded| {
        let of_them = |other: &&Recorded| other.position > event.position && other.metadata.subject_id == event.metadata.subject_id;
        !partition.iter().filter(of_them).any(deletes)
    };
    let listed = |event: &&Recorded| projection.lists(&event.event_type);
    let mut parked = Parked::new();
    for event in partition.iter().filter(listed).filter(|event| !deletes(event)) {
        let before = partition.iter().filter(listed).filter(|other| other.stream_id == event.stream_id && other.position <= event.position);
        let first = before.filter(|other| is_broken(other)).find(|other| is_final(other));
        parked.extend(first.map(|first| (projection.view().name.into(), event.partition, event.position, first == event)));
    }
    parked
}

#[test]
fn any_split_of_a_broken_history_parks_the_same_and_folds_to_the_same_rows() {
    let runtime = Runtime::new().unwrap();
    for (place, cases) in [Some(Place::sqlite()), Place::postgres()].into_iter().flatten().zip([48, 8]) {
        let rows = runtime.block_on(Rows::new(place));
        let test = async |history: History, broken: Vec<Index>, cuts: Cuts| {
            let partitions = partitions(&history, &broken);
            rows.clear().await;
            for batch in &partitions {
                rows.write(batch).await;
            }
            let whole = (rows.dump().await, parked(&rows).await);
            let all = projector::projections();
            let expected = all.iter().flat_map(|one| partitions.iter().flat_map(|partition| expected(&**one, partition)));
            assert_eq!(whole.1, expected.collect());
            rows.clear().await;
            for batch in cut(partitions.into_iter(), &cuts) {
                rows.write(&batch).await;
            }
            assert_eq!((rows.dump().await, parked(&rows).await), whole);
        };
        let run = |((history, broken), cuts)| {
            runtime.block_on(test(history, broken, cuts));
            Ok(())
        };
        runner(cases).run(&(broken_histories(), cuts()), run).unwrap_or_else(|failed| panic!("{failed}"));
    }
}

/// Deletions left out: they discard for good.
#[test]
fn any_broken_history_that_is_mended_and_retried_is_as_if_it_had_never_been_broken() {
    let runtime = Runtime::new().unwrap();
    for (is_server, cases) in [(false, 12), (true, 3)] {
        let run = |((history, broken), folds): ((History, Vec<Index>), Vec<bool>)| {
            let acts: Vec<_> = history.acts.into_iter().filter(|act| !matches!(act, Act::DeleteAccount(_))).collect();
            let Some(place) = (if is_server { Place::postgres() } else { Some(Place::sqlite()) }) else { return Ok(()) };
            runtime.block_on(mended_and_retried(Tizza::at(place), &acts, &broken, &folds));
            Ok(())
        };
        let folds = prop::collection::vec(prop::bool::weighted(0.1), 60);
        runner(cases).run(&(broken_histories(), folds), run).unwrap_or_else(|failed| panic!("{failed}"));
    }
}

/// `folds`: after which events all is folded that is there.
async fn mended_and_retried(tizza: impl Future<Output = Tizza>, acts: &[Act], broken: &[Index], folds: &[bool]) {
    let mut tizza = tizza.await;
    let broken: BTreeSet<_> = broken.iter().filter(|_| !acts.is_empty()).map(|index| index.index(acts.len())).collect();
    for (n, act) in acts.iter().enumerate() {
        let known = tizza.history.acts.len();
        // Whether it is one more event, or was done before.
        let mut would = tizza.history.clone();
        if would.act(*act) && would.acts.len() > known {
            if broken.contains(&n) {
                tizza.goes_wrong(*act).await;
            } else {
                tizza.happens(&[*act]).await;
            }
        }
        if folds[n % folds.len()] {
            tizza.fold_all().await;
        }
    }
    tizza.fold_all().await;
    tizza.mend().await;
    let (parked, _) = parking::list(&tizza.store, None, 1_000).await.unwrap();
    for first in parked.iter().filter(|parked| parked.reason.is_some()) {
        assert_eq!(tizza.retry(&first.id).await.unwrap().left, 0);
    }
    assert_eq!(parking::list(&tizza.store, None, 1).await.unwrap().1, 0);
    tizza.assert_folded().await;
}
