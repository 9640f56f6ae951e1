use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::{Scheme, Uri};
use axum::http::{StatusCode, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{ServiceBuilder, ServiceExt};
use tower_http_retry::RetryLayer;

/// Passes all requests on to this host and port.
fn proxy(upstream: &'static str) -> Router {
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new())
        .service(Client::builder(TokioExecutor::new()).build_http());
    Router::new().fallback(async move |mut request: Request| {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(upstream).path_and_query(path);
        *request.uri_mut() = uri.build().map_err(|_| StatusCode::BAD_REQUEST)?;
        *request.version_mut() = Version::HTTP_11; // the upstream's, whatever the client's is
        let response = client.clone().oneshot(request).await;
        let response = response.map_err(|_| StatusCode::BAD_GATEWAY)?;
        Ok::<_, StatusCode>(response.map(Body::new))
    })
}
