use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Extensions, Request, Response, StatusCode};
use reqwest_middleware::{
    ClientBuilder, ClientWithMiddleware, Middleware, Next, Result as MiddlewareResult,
};
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_retry::{Jitter, RetryTransientMiddleware};

use super::{MAX_RETRIES, RequestBody, Settings};
use crate::client::{Answer, Client};
use crate::upstream::{Upstream, read};

/// reqwest with middleware. It is never dropped, as users keep a client as long as the program runs.
#[derive(Clone)]
pub struct Reqwest {
    client: &'static ClientWithMiddleware,
}

/// Returns a client whose last middleware responds without a network.
pub fn in_memory(upstream: Upstream, settings: Option<&Settings>) -> Reqwest {
    let builder = ClientBuilder::new(reqwest::Client::new());
    leak(with_retries(builder, settings).with(upstream))
}

pub fn over_network(is_http2: bool, settings: Option<&Settings>) -> Reqwest {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = match is_http2 {
        true => builder.http2_prior_knowledge(),
        false => builder.http1_only(),
    };
    let client = builder.build().expect("a client");
    leak(with_retries(ClientBuilder::new(client), settings))
}

fn with_retries(builder: ClientBuilder, settings: Option<&Settings>) -> ClientBuilder {
    let Some(settings) = settings else {
        return builder;
    };
    let backoff = ExponentialBackoff::builder()
        .retry_bounds(settings.wait, settings.wait.max(Duration::from_secs(60)))
        .jitter(Jitter::None)
        .build_with_max_retries(MAX_RETRIES);
    builder.with(RetryTransientMiddleware::new_with_policy(backoff))
}

fn leak(builder: ClientBuilder) -> Reqwest {
    let client = Box::leak(Box::new(builder.build()));
    Reqwest { client }
}

impl Client<RequestBody> for Reqwest {
    type Answer = MiddlewareResult<reqwest::Response>;

    fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Self::Answer> + Send + 'static {
        self.client.execute(converted(request))
    }
}

/// Converts a request, with a body that reqwest can clone.
fn converted(request: Request<RequestBody>) -> reqwest::Request {
    let request = request.map(|body| body.into_inner().unwrap_or_default());
    request.try_into().expect("a request")
}

#[async_trait]
impl Middleware for Upstream {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> MiddlewareResult<reqwest::Response> {
        if let Some(body) = request.body_mut().take() {
            read(body);
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = self.answer();
        Ok(response.into())
    }
}

impl Answer for MiddlewareResult<reqwest::Response> {
    fn status(&self) -> StatusCode {
        match self {
            Ok(response) => response.status(),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    async fn read(self) {
        let Ok(mut response) = self else {
            return;
        };
        while response.chunk().await.expect("a whole body").is_some() {}
    }
}
