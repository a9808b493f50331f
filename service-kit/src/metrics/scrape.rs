//! What is asked of databases when somebody looks. One that is away costs its own figures, which are NaN then, and no others.

use std::{
    fmt::Display,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::future::{BoxFuture, join_all};
use tokio::{sync::Mutex, time::timeout};

/// How long a question may take.
const LIMIT: Duration = Duration::from_secs(3);
/// How long what was asked is good for.
const FRESH: Duration = Duration::from_millis(500);

type Measure = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What is asked when somebody looks.
#[derive(Default)]
pub struct Scrape {
    measures: Vec<Measure>,
    measured_at: Mutex<Option<Instant>>,
}

impl Scrape {
    /// With one more question, and what is done with the answer; `None`: there was none.
    pub(crate) fn add<T, E, F>(&mut self, ask: impl Fn() -> F + Send + Sync + 'static, tell: impl Fn(Option<T>) + Send + Sync + 'static)
    where
        T: Send,
        E: Display + Send,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let tell = Arc::new(tell);
        self.measures.push(Box::new(move || {
            let (asked, tell) = (ask(), tell.clone());
            Box::pin(async move {
                let answer = timeout(LIMIT, asked).await;
                tell(answer.ok().and_then(|answer| answer.inspect_err(|error| tracing::debug!(%error, "not measured")).ok()));
            })
        }));
    }

    async fn measure(&self) {
        let mut measured_at = self.measured_at.lock().await;
        if measured_at.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        join_all(self.measures.iter().map(|measure| measure())).await;
        *measured_at = Some(Instant::now());
    }

    /// `/metrics`
    pub(crate) fn router(self) -> Router {
        Router::new().route("/metrics", get(metrics)).with_state(Arc::new(self))
    }
}

async fn metrics(State(scrape): State<Arc<Scrape>>) -> Response {
    scrape.measure().await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], super::render()).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_not_waited_for_and_who_does_is_heard() {
        let (silent, heard) = (Arc::new(AtomicU64::new(9)), Arc::new(AtomicU64::new(0)));
        let (told, hears) = (silent.clone(), heard.clone());
        let mut scrape = Scrape::default();
        scrape.add(std::future::pending::<Result<u64, String>>, move |answer| told.store(answer.unwrap_or(0), SeqCst));
        let hears = move |answer: Option<u64>| {
            hears.fetch_add(answer.unwrap_or(0), SeqCst);
        };
        scrape.add(async || Ok::<_, String>(1), hears);
        scrape.measure().await;
        assert_eq!((silent.load(SeqCst), heard.load(SeqCst)), (0, 1));
        scrape.measure().await;
        assert_eq!(heard.load(SeqCst), 1, "at once again it is not asked");
    }
}
