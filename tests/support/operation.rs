//! Verified creates and deletes of items, over each protocol.

use std::fmt;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tower::{Layer, ServiceExt};
use tower_http_retry::verify::{Verified, VerifyBody};
use tower_http_retry::{Attempts, BoxError, RetryOverride, VerifyLayer};

use super::body::at_once;
use super::items::{Answer, Counts, Items, Protocol, Turn};
use Operation::{Delete, Post, Put};

/// Without feature `http2`, the layer cannot classify the errors of HTTP/2 streams.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::Http1,
    #[cfg(feature = "http2")]
    Protocol::Http2,
];

/// An operation on the item "alpha".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    Put,
    Post,
    Delete,
}

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub protocol: Protocol,
    pub operation: Operation,
}

/// What the caller gets: the status, what was verified, and the number of attempts.
pub type Told = (u16, Option<Verified>, u32);

pub const CONTENT: &str = "alpha\nthe first of its kind";

/// The name of the item that a POST creates, for the probe, which cannot read the body.
#[derive(Clone)]
struct Name(&'static str);

/// Returns these operations over each protocol.
pub fn cases(operations: impl Into<Vec<Operation>>) -> Vec<Case> {
    let operations = operations.into();
    let over = |&protocol| {
        let case = move |&operation| Case {
            protocol,
            operation,
        };
        operations.iter().map(case)
    };
    PROTOCOLS.iter().flat_map(over).collect()
}

impl Case {
    /// Starts a service on which the operation has not been done yet.
    pub async fn start(
        self,
        turns: impl IntoIterator<Item = Turn>,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Items {
        let items = Items::start(self.protocol, turns, answers).await;
        if self.operation == Delete {
            items.insert("alpha");
        }
        items
    }

    pub fn request<B>(self, items: &Items, body: B) -> Request<B> {
        let (method, path) = match self.operation {
            Put => (Method::PUT, "/items/alpha?secret=1"),
            Post => (Method::POST, "/items"),
            Delete => (Method::DELETE, "/items/alpha?secret=1"),
        };
        let mut request = Request::builder().method(method).uri(items.uri(path));
        if self.operation == Post {
            let repeatable = RetryOverride::new().repeatable(true);
            request = request.extension(Name("alpha")).extension(repeatable);
        }
        request.body(body).unwrap()
    }

    pub fn whole_request(self, items: &Items) -> Request<Full<Bytes>> {
        self.request(items, Full::from(CONTENT))
    }

    pub fn verify(self) -> VerifyLayer {
        match self.operation {
            Put => VerifyLayer::new().put_creates(),
            Delete => VerifyLayer::new(),
            Post => VerifyLayer::new().probe(|head| {
                let Name(name) = head.extensions().get()?;
                let uri = format!("/items/{name}?secret=1");
                Request::get(uri).body(()).ok()
            }),
        }
    }

    pub async fn send(self, items: &Items) -> Result<Response<VerifyBody<Incoming>>, BoxError> {
        let client = (at_once(), self.verify()).layer(items.client());
        client.oneshot(self.whole_request(items)).await
    }

    /// Runs the operation with this plan. Returns what the caller gets, and the counts of the service.
    pub async fn run(
        self,
        turns: impl IntoIterator<Item = Turn>,
        answers: impl IntoIterator<Item = Answer>,
    ) -> (Told, Counts) {
        let items = self.start(turns, answers).await;
        let response = self.send(&items).await;
        let response = response.unwrap_or_else(|error| panic!("{self:?}: {error:?}"));
        (told(&response), items.counts())
    }

    /// Runs a hundred operations, one after another, each on a separate item. Returns the counts of the
    /// service, and the number of connections.
    pub async fn run_a_hundred(self, turns: &[Turn], answers: &[Answer]) -> (Counts, usize) {
        let items = Items::start(self.protocol, turns.repeat(100), answers.repeat(100)).await;
        let client = (at_once(), self.verify()).layer(items.client());
        for number in 0..100 {
            if self.operation == Delete {
                items.insert(&number.to_string());
            }
            let mut request = self.whole_request(&items);
            *request.uri_mut() = items.uri(&format!("/items/{number}")).parse().unwrap();
            let response = client.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), self.done(2).0);
            body(response).await;
        }
        (items.counts(), items.connections())
    }

    /// Returns what the caller gets if the last of these attempts succeeded.
    pub fn done(self, attempts: u32) -> Told {
        let status = if self.operation == Delete { 204 } else { 201 };
        (status, None, attempts)
    }

    /// Returns what the caller gets if a probe after the last of these attempts showed that the operation was
    /// done.
    pub fn verified(self, attempts: u32) -> Told {
        match self.operation {
            Put | Post => (201, Some(Verified::Created), attempts),
            Delete => (204, Some(Verified::Deleted), attempts),
        }
    }

    /// Returns the counts after the operation was done exactly once.
    pub fn counts(self, operations: usize, probes: usize) -> Counts {
        Counts::new(usize::from(self.operation != Delete), operations, probes)
    }
}

pub fn told<R>(response: &Response<R>) -> Told {
    let extensions = response.extensions();
    let attempts = extensions.get::<Attempts>();
    (
        response.status().as_u16(),
        extensions.get().copied(),
        attempts.map_or(1, |attempts| attempts.count),
    )
}

pub async fn body<R>(response: Response<R>) -> Bytes
where
    R: Body<Error: fmt::Debug>,
{
    response.into_body().collect().await.unwrap().to_bytes()
}
