//! What becomes of events that a fold cannot cope with.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `laid_aside` | they are parked, their streams behind them, and the rest goes on |
//! | `attended` | what operators do with them |
//! | `crashes` | whoever is in the way, and wherever a process ends: nothing is lost or done twice |
//! | `cuts` | however a history is cut, the same is parked |
//! | `doubles` | folds that cannot cope |

mod attended;
mod crashes;
mod cuts;
mod doubles;
mod laid_aside;

use projector::{
    ParkingError,
    operations::Retried,
    parking::{self, Attendant},
};

use crate::setup::Tizza;

impl Tizza {
    /// The ids of what is parked of a projection, and whether each has a reason.
    pub async fn parked(&self, projection: &str) -> Vec<(String, bool)> {
        let (parked, total) = parking::list(&self.store, Some(projection), 1_000).await.unwrap();
        assert_eq!(total as usize, parked.len());
        parked.into_iter().map(|parked| (parked.id, parked.reason.is_some())).collect()
    }

    pub async fn retry(&self, id: &str) -> Result<Retried, ParkingError> {
        Attendant { log: &self.log, store: &self.store, projections: &self.projections() }.retry(id).await
    }

    pub async fn skip(&self, id: &str) -> Result<Retried, ParkingError> {
        Attendant { log: &self.log, store: &self.store, projections: &self.projections() }.skip(id, "it is no use", "test").await
    }
}
