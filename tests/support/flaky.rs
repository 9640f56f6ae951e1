// The server of the examples in the documentation, which include this file. It fails as planned.

use std::sync::{Arc, Mutex};

/// A server on 127.0.0.1 that responds with these statuses, one for each request, and then with 200. It
/// keeps the method and the body of each request.
pub struct Flaky {
    pub url: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Flaky {
    pub async fn start(plan: impl Into<Vec<u16>>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (plan, keep) = (plan.into(), received.clone());
        let app = axum::Router::new().fallback(async move |method: http::Method, body: String| {
            let mut received = keep.lock().unwrap();
            received.push(format!("{method} {body}").trim_end().to_owned());
            let status = plan.get(received.len() - 1).copied().unwrap_or(200);
            http::StatusCode::from_u16(status).unwrap()
        });
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { url, received }
    }

    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}
