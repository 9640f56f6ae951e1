//! What the proxy shows of itself: a page, what the page draws, and metrics.

use std::sync::Arc;

use axum::Router;
use axum::response::{Html, Json};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use crate::history::History;
use crate::upstream::paths;

/// The page has all in itself, and asks this server only.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:";

pub(crate) fn router(history: Arc<History>, recorder: PrometheusHandle) -> Router {
    let page = [(CONTENT_SECURITY_POLICY, POLICY)];
    let page = (page, Html(include_str!("page.html")));
    let exposition = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Router::new()
        .route("/", get(page))
        .route("/status", get(async move || status(&history)))
        .route(
            "/metrics",
            get(async move || (exposition, recorder.render())),
        )
}

fn status(history: &History) -> ([(http::HeaderName, &'static str); 1], Json<Value>) {
    let path = |(path, what)| json!({ "path": path, "what": what });
    let mut status = history.status();
    status["paths"] = paths().map(path).collect();
    ([(CACHE_CONTROL, "no-store")], Json(status))
}
