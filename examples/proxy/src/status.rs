//! The routes that show the state of the proxy: a page, its data, and metrics.

use std::sync::Arc;

use axum::Router;
use axum::response::{Html, Json};
use axum::routing::get;
use http::Uri;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tower_http_retry::Cooldown;

use crate::history::History;
use crate::upstream::paths;

/// The page is self-contained, and sends requests only to this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:";

pub(crate) fn router(
    history: Arc<History>,
    cooldown: Cooldown,
    recorder: PrometheusHandle,
) -> Router {
    let page = [(CONTENT_SECURITY_POLICY, POLICY)];
    let page = (page, Html(whole_page()));
    let exposition = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Router::new()
        .route("/", get(page))
        .route("/status", get(async move || status(&history, &cooldown)))
        .route(
            "/metrics",
            get(async move || (exposition, recorder.render())),
        )
}

/// The page with its style and its script.
fn whole_page() -> String {
    let page = include_str!("page.html");
    let page = page.replace("/* style */", include_str!("page.css"));
    page.replace("/* script */", include_str!("page.js"))
}

fn status(
    history: &History,
    cooldown: &Cooldown,
) -> ([(http::HeaderName, &'static str); 1], Json<Value>) {
    let path = |(path, what)| json!({ "path": path, "what": what });
    let mut status = history.status();
    status["cooldown"] = held(cooldown);
    status["paths"] = paths().map(path).collect();
    ([(CACHE_CONTROL, "no-store")], Json(status))
}

/// How many requests are currently held, and the time that is left until they are sent: zero while they are
/// sent in a slow start, and null if no requests are held.
fn held(cooldown: &Cooldown) -> Value {
    // The cooldown has one state for all upstreams.
    let upstream = Uri::default();
    let left = cooldown.left(&upstream);
    json!({
        "held": cooldown.waiting(&upstream),
        "left_seconds": left.map(|left| left.as_secs_f64()),
    })
}
