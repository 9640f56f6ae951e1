//! The guide's reverse proxy, as it stands there, between real clients and servers.

mod proxy {
    include!("guide/proxy.rs");

    pub(super) fn over(upstream: &'static str) -> Router {
        proxy(upstream)
    }
}

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

#[test]
fn the_proxy_that_is_tested_is_the_guides() {
    let page = include_str!("../../src/guide/recipes.rs");
    let lines = page.lines().map(|line| line.trim_start_matches("//!"));
    let lines: Vec<_> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    assert!(lines.join("\n").contains(include_str!("guide/proxy.rs")));
}

/// Where this router is served, until the test ends.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address.to_string()
}

#[tokio::test]
async fn it_takes_requests_over_both_versions_to_an_upstream_of_http_1() {
    let echo = post(async |body: Bytes| body);
    let upstream = serve(Router::new().route("/echo", echo)).await;
    let proxy = serve(proxy::over(upstream.leak())).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(version == Version::HTTP_2)
            .build_http();
        let request = Request::post(format!("http://{proxy}/echo?twice"))
            .version(version)
            .body(Full::<Bytes>::from("item"));
        let response = client.request(request.unwrap()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (200, version)
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "item");
    }
}
