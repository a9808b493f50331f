//! A projection that counts events. Where something is folded twice the domain's own rows may well be right, because a
//! reaction replaces the one before it; a tally is not.

use database::{Transaction, on};
use futures::future::{BoxFuture, FutureExt};
use projector::{
    FoldError, Projection, Session,
    parking::Readable,
    table::{Generation, Table},
};
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
            indexes: vec![],
        }]
    }

    fn shapes(&self) -> &'static [&'static Table] {
        &[]
    }

    /// All that there is.
    fn lists(&self, event_type: &str) -> bool {
        events::Event::types().any(|known| known.name == event_type)
    }

    fn fold<'a>(&'a self, db: &'a mut Transaction, generation: i64, events: &'a [Readable<'a>]) -> BoxFuture<'a, Result<(), FoldError>> {
        async move {
            let sql = AssertSqlSafe(expand("update {tally} set events = events + $1", &TALLY, generation));
            on!(db, |db| sqlx::query(sql).bind(events.len() as i64).execute(&mut **db).await.map(drop)?);
            Ok(())
        }
        .boxed()
    }

    fn begin(&self) -> Box<dyn Session> {
        Box::new(Counted(0))
    }
}

/// So many, in memory.
struct Counted(usize);

impl Session for Counted {
    fn fold<'a>(&'a mut self, _: Generation<'a>, events: &'a [Readable<'a>]) -> BoxFuture<'a, Result<(), FoldError>> {
        self.0 += events.len();
        async { Ok(()) }.boxed()
    }

    fn store<'a>(&'a self, at: Generation<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async move {
            let sql = AssertSqlSafe(expand("update {tally} set events = events + $1", &TALLY, at.number));
            on!(at.db, |db| sqlx::query(sql).bind(self.0 as i64).execute(&mut **db).await.map(drop))
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
