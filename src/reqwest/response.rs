use std::any::Any;
use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use reqwest::{ResponseBuilderExt, Url};

use crate::body::BodyProgress;
use crate::class::Class;
use crate::classify::Outcome;
use crate::error::BoxError;
use crate::redirected::{FollowsRedirects, MaybeRedirected};

/// The URL of a request, to detect an outcome that may belong to another request.
pub(super) struct Asked {
    url: Url,
    may_follow_redirects: bool,
}

impl Asked {
    pub(super) fn of(request: &reqwest::Request, may_follow_redirects: bool) -> Self {
        Self {
            url: request.url().clone(),
            may_follow_redirects,
        }
    }

    /// Converts the response, and marks it if redirects may have been followed.
    pub(super) fn response(&self, response: reqwest::Response) -> Response<reqwest::Body> {
        let to_another_uri = *response.url() != self.url;
        let mut response = to_http(response);
        if self.may_follow_redirects {
            let mark = FollowsRedirects { to_another_uri };
            response.extensions_mut().insert(mark);
        }
        response
    }

    /// Converts the error. A refusal becomes a [`MaybeRedirected`] if it may belong to another request: one
    /// to the target of a redirect, or one that a middleware sent in addition.
    pub(super) fn error(&self, error: reqwest::Error) -> BoxError {
        let is_of_other = self.may_follow_redirects || error.url() != Some(&self.url);
        match is_of_other && is_refused(&error) {
            true => MaybeRedirected::new(error).into(),
            false => error.into(),
        }
    }
}

/// Whether the error is a refusal of the request that the client sent last.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let request = Request::new(());
    let outcome = Outcome::error(&request, error).with_request_body(BodyProgress::Begun);
    outcome.by_status().class() == Class::Refused
}

/// Converts the response, and keeps the URL of the last request that was made for it.
pub(super) fn to_http(response: reqwest::Response) -> Response<reqwest::Body> {
    // reqwest keeps the URL in an extension of a private type.
    let url = response.url().clone();
    let kept = Response::builder().url(url).body(());
    let (kept, ()) = kept.expect("no part of it is wrong").into_parts();
    let mut response = Response::from(response);
    response.extensions_mut().extend(kept.extensions);
    response
}

/// Converts the response of a stack, whose layers may have changed the type of the body.
pub(super) fn from_http<R>(response: Response<R>) -> reqwest::Response
where
    R: Body + Send + Sync + 'static,
    R::Data: Into<Bytes>,
    R::Error: Into<BoxError>,
{
    response.map(into_body).into()
}

/// Converts the body. A `reqwest::Body` is returned as it is instead of being wrapped again.
fn into_body<R>(body: R) -> reqwest::Body
where
    R: Body + Send + Sync + 'static,
    R::Data: Into<Bytes>,
    R::Error: Into<BoxError>,
{
    let mut body = Some(body);
    let own = (&mut body as &mut dyn Any).downcast_mut::<Option<reqwest::Body>>();
    match own.and_then(Option::take) {
        Some(own) => own,
        None => body.map_or_else(reqwest::Body::default, reqwest::Body::wrap),
    }
}
