use {axum::{body::Body, extract::Request, http::{StatusCode, Uri, Version}, Router}, tower::{ServiceBuilder, ServiceExt}};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
fn proxy(upstream: &'static str) -> Router {
    let hyper = Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new().layer(tower_http_retry::RetryLayer::new()).service(hyper);
    Router::new().fallback(async move |mut request: Request| {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder().scheme("http").authority(upstream).path_and_query(path);
        *request.uri_mut() = uri.build().map_err(|_| StatusCode::BAD_REQUEST)?;
        *request.version_mut() = Version::HTTP_11; // the upstream's, whatever the caller's is
        let response = client.clone().oneshot(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        Ok::<_, StatusCode>(response.map(Body::new))
    })
}
