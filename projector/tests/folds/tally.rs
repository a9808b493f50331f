//! A projection that counts events. Where something is folded twice the domain's own rows may well be right, because a
//! reaction replaces the one before it; a tally is not.

use database::{Transaction, on};
use event_log::Recorded;
use futures::future::{BoxFuture, FutureExt};
use projector::{FoldError, Projection, table::Table};
use read_store::{Definition, ReadStore, View, live::expand};
use sqlx::AssertSqlSafe;

static TALLY: View = View { name: "tally", version: 1, tables: &["tally"] };

pub struct Tally;

impl Projection for Tally {
    fn view(&self) -> &'static View {
        &TALLY
    }

    fn tables(&self) -> Vec<Definition> {
        vec![Definition {
            sqlite: "create table {tally} (events integer not null) strict; insert into {tally} values (0)".into(),
            postgres: "create table {tally} (events bigint not null); insert into {tally} values (0)".into(),
        }]
    }

    fn shapes(&self) -> &'static [&'static Table] {
        &[]
    }

    fn fold<'a>(&'a self, db: &'a mut Transaction, generation: i64, batch: &'a [Recorded]) -> BoxFuture<'a, Result<(), FoldError>> {
        async move {
            let sql = AssertSqlSafe(expand("update {tally} set events = events + $1", &TALLY, generation));
            on!(db, |db| sqlx::query(sql).bind(batch.len() as i64).execute(&mut **db).await.map(drop)?);
            Ok(())
        }
        .boxed()
    }
}

/// How many events were folded.
pub async fn tally(store: &ReadStore) -> usize {
    let sql = AssertSqlSafe(expand("select events from {tally}", &TALLY, 1));
    let events: i64 = on!(&store.database.reader, |db| sqlx::query_scalar(sql).fetch_one(db).await.unwrap());
    events as usize
}
