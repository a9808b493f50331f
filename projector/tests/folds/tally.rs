//! A projection that counts events. Where something is folded twice the domain's own rows may well be right, because a
//! reaction replaces the one before it; a tally is not.

use event_log::Recorded;
use futures::future::{BoxFuture, FutureExt};
use projector::{FoldError, Projection};
use read_store::{ReadStore, View, generations::expand};
use sqlx::{AssertSqlSafe, SqliteConnection};

static TALLY: View = View { name: "tally", version: 1, tables: &["tally"] };

pub struct Tally;

impl Projection for Tally {
    fn view(&self) -> &'static View {
        &TALLY
    }

    fn tables(&self) -> Vec<String> {
        vec!["create table {tally} (events integer not null) strict; insert into {tally} values (0)".into()]
    }

    fn fold<'a>(&'a self, db: &'a mut SqliteConnection, generation: i64, batch: &'a [Recorded]) -> BoxFuture<'a, Result<(), FoldError>> {
        async move {
            let sql = expand("update {tally} set events = events + $1", &TALLY, generation);
            sqlx::query(AssertSqlSafe(sql)).bind(batch.len() as i64).execute(db).await?;
            Ok(())
        }
        .boxed()
    }
}

/// How many events were folded.
pub async fn tally(store: &ReadStore) -> usize {
    let sql = AssertSqlSafe(expand("select events from {tally}", &TALLY, 1));
    let events: i64 = sqlx::query_scalar(sql).fetch_one(&store.database.reader).await.unwrap();
    events as usize
}
