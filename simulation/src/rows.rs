//! The read store: checkpoints that are compared and moved, and which events were folded then.

use event_log::{Heads, Partition, Position, Recorded};
use projector::{
    FoldError, Prepared,
    ports::{Feed, Rows},
};
use rand::RngExt;
use read_store::checkpoints::Progress;

use crate::{
    node::Node,
    world::{Flaw, State, USED},
};

impl Rows for Node {
    async fn checkpoints(&self) -> Result<Progress, sqlx::Error> {
        self.ask(|state| {
            let mut progress = Progress::new();
            for (name, generation, partition, _, to) in &state.folds {
                progress.entry(((*name).to_owned(), *generation)).or_default()[*partition] = *to;
            }
            progress
        })
        .await
    }

    async fn write(
        &self,
        into: &[Prepared],
        partition: Partition,
        from: Position,
        to: Position,
        batch: &[Recorded],
    ) -> Result<bool, FoldError> {
        Ok(self.ask(|state| state.fold(into, partition.index(), (from, to), batch)).await?)
    }

    fn folded(&self, _: &[Prepared], _: Partition, _: Position) {}
}

impl State {
    fn fold(&mut self, into: &[Prepared], partition: usize, (from, to): (Position, Position), batch: &[Recorded]) -> bool {
        let found: Vec<_> = batch.iter().map(|event| event.position).collect();
        let whole = found == (from + 1..=to).collect::<Vec<_>>();
        self.must(whole, || format!("{found:?} are folded from {from} to {to}"));
        let blind = self.flaw == Some(Flaw::BlindCheckpoints);
        let stands = |one: &Prepared| self.checkpoint(one.key().0, one.generation, partition) == from;
        if !blind && !into.iter().all(stands) {
            self.count("another worker was faster");
            return false;
        }
        for (name, generation) in into.iter().map(Prepared::key) {
            let before = self.checkpoint(name, generation, partition);
            self.must(before == from, || format!("{name} folds {partition} from {from}, and has folded up to {before}"));
            self.folds.push((name, generation, partition, from, to));
        }
        self.tell(|| format!("{} fold {partition} from {from} to {to}", into.len()));
        true
    }

    pub fn checkpoint(&self, name: &str, generation: i64, partition: usize) -> Position {
        let last = self.folds.iter().rev().find(|fold| fold.0 == name && fold.1 == generation && fold.2 == partition);
        last.map_or(0, |(.., to)| *to)
    }

    /// Up to where the furthest has folded each partition.
    pub fn furthest(&self) -> Heads {
        let mut furthest = Heads::default();
        self.folds.iter().for_each(|(_, _, partition, _, to)| furthest[*partition] = furthest[*partition].max(*to));
        furthest
    }

    /// A server has crashed, and the last folds were not flushed.
    pub fn forget_folds(&mut self) {
        let kept = self.folds.len() - self.rng.random_range(0..=self.folds.len().min(6));
        // All that one transaction has folded, or nothing of it.
        let whole = (0..=kept).rev().find(|kept| *kept == 0 || *kept == self.folds.len() || self.folds[*kept].2 != self.folds[*kept - 1].2);
        self.folds.truncate(whole.unwrap_or(0));
        self.tell(|| "the read store has forgotten its last folds".into());
    }

    /// Everything is folded.
    pub fn is_folded(&self, prepared: &[Prepared]) -> bool {
        let there =
            |one: &Prepared, partition| self.checkpoint(one.key().0, one.generation, partition) == self.log[partition].len() as Position;
        prepared.iter().all(|one| (0..USED).all(|partition| there(one, partition)))
    }
}

/// Events that come from the topic.
pub struct FromTopic(pub event_log::kafka::TopicSource<Node>, pub Node);

impl Feed for FromTopic {
    fn now(&self) -> std::time::Instant {
        self.1.clock()
    }

    fn heads(&self) -> tokio::sync::watch::Receiver<Heads> {
        self.0.heads()
    }

    async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        self.0.read(partition, after, limit).await
    }

    fn folded(&self, partition: Partition, position: Position) {
        self.0.folded(partition, position);
    }
}
