//! What a caller wants of a service of items, over each protocol: creates and deletes that are
//! verified.

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

/// Without its feature, the layer cannot tell what became of a stream of HTTP/2.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::Http1,
    #[cfg(feature = "http2")]
    Protocol::Http2,
];

/// Of the item "alpha".
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

/// What the caller gets: the status, what was verified, and how many attempts it took.
pub type Told = (u16, Option<Verified>, u32);

pub const CONTENT: &str = "alpha\nthe first of its kind";

/// What a POST creates: for the probe, which does not see the body.
#[derive(Clone)]
struct Name(&'static str);

/// These operations over each protocol.
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
    /// A service at which the operation is still to be done.
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

    /// What the caller gets, and what the service has and received, with this plan.
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

    /// What the service received of a hundred operations, one after the other, each on an item of
    /// its own; and over how many connections.
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

    /// What the caller gets of the last of so many attempts, which did it.
    pub fn done(self, attempts: u32) -> Told {
        let status = if self.operation == Delete { 204 } else { 201 };
        (status, None, attempts)
    }

    /// What the caller gets of the last of so many attempts, in which a probe showed that it was
    /// done.
    pub fn verified(self, attempts: u32) -> Told {
        match self.operation {
            Put | Post => (201, Some(Verified::Created), attempts),
            Delete => (204, Some(Verified::Deleted), attempts),
        }
    }

    /// Once it is done, and done once only.
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
