//! A status that comes in trailers right after the head, over real connections.
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_http_retry::grpc::PeekTrailersLayer;
use tower_http_retry::{Attempts, ReplayBody, RetryLayer};

use crate::support::body::trailers;

/// Answers stream n with a head, these bytes of data, and these trailers.
async fn serve(plan: Vec<(&'static str, HeaderMap)>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut plan = plan.into_iter();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let (message, last) = plan.next().expect("called more often than planned");
            let head = Response::builder().header("content-type", "application/grpc");
            let mut send = respond
                .send_response(head.body(()).unwrap(), false)
                .unwrap();
            if !message.is_empty() {
                send.send_data(message.into(), false).unwrap();
            }
            send.send_trailers(last).unwrap();
        }
    });
    address
}

#[tokio::test]
async fn over_the_wire_a_status_right_after_the_head_is_retried_and_one_after_data_is_not() {
    let unavailable = trailers([("grpc-status", "14")]);
    let pushed = trailers([("grpc-status", "14"), ("grpc-retry-pushback-ms", "0")]);
    let served = trailers([("grpc-status", "0"), ("x-checksum", "7")]);
    let plan = vec![("", pushed), ("message", served), ("half", unavailable)];
    let address = serve(plan).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<ReplayBody<Empty<Bytes>>>();
    let service = RetryLayer::grpc()
        .mark_responses()
        .layer(PeekTrailersLayer::new().layer(client));
    for (attempts, message, code) in [(Some(2), "message", "0"), (None, "half", "14")] {
        let request = Request::post(format!("http://{address}/a.B/C"));
        let request = request.body(Empty::new()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        let took = response.extensions().get::<Attempts>();
        assert_eq!(took.map(|attempts| attempts.count), attempts);
        let whole = response.into_body().collect().await.unwrap();
        assert_eq!(whole.trailers().unwrap()["grpc-status"], code);
        assert_eq!(whole.to_bytes(), message);
    }
}
