//! Requests whose client does not wait.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{extract::Request, middleware::Next, response::Response};
use tokio::runtime::Handle;

/// A client that hangs up cancels nothing half done: what comes behind it then goes on in a task of its own.
pub async fn detached(request: Request, next: Next) -> Response {
    Detached(Some(Box::pin(next.run(request)))).await
}

struct Detached(Option<Pin<Box<dyn Future<Output = Response> + Send>>>);

impl Future for Detached {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let response = match &mut self.0 {
            Some(rest) => ready!(rest.as_mut().poll(context)),
            None => return Poll::Pending,
        };
        self.0 = None;
        Poll::Ready(response)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use axum::{Router, body::Body, middleware, routing::get};
    use futures::FutureExt;
    use tokio::sync::Notify;
    use tower::ServiceExt;

    use super::*;
    use crate::http::frame;

    #[tokio::test]
    async fn what_a_client_began_and_does_not_wait_for_is_done_all_the_same() {
        let (go_on, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, tells) = (go_on.clone(), done.clone());
        let handler = async move || {
            told.notified().await;
            tells.notify_one();
        };
        let routes = Router::new().route("/", get(handler)).layer(middleware::from_fn(detached));
        let mut request = Box::pin(frame(routes).oneshot(Request::get("/").body(Body::empty()).unwrap()));
        assert!((&mut request).now_or_never().is_none(), "the handler waits");
        drop(request);
        go_on.notify_one();
        tokio::time::timeout(Duration::from_secs(10), done.notified()).await.expect("it goes on without its client");
    }
}
