//! Commands and queries on one address: GET, HEAD and OPTIONS are answered by the query side, everything else by the
//! command side. What nginx does in front of separate services.

use axum::{Router, extract::Request, http::Method};
use tower::ServiceExt;

/// One router of both.
pub fn router(commands: Router, queries: Router) -> Router {
    Router::new().fallback(move |request: Request| {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let side = if reads { queries.clone() } else { commands.clone() };
        side.oneshot(request)
    })
}
