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

/// What a request asked for, where its outcome may be that of another one.
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

    /// The response, which says if redirects may have been followed.
    pub(super) fn response(&self, response: reqwest::Response) -> Response<reqwest::Body> {
        let to_another_uri = *response.url() != self.url;
        let mut response = to_http(response);
        if self.may_follow_redirects {
            let mark = FollowsRedirects { to_another_uri };
            response.extensions_mut().insert(mark);
        }
        response
    }

    /// The error. One that would be a refusal of the request says if it may be that of another one: of a
    /// redirect's target, or of what a middleware sends beside it.
    pub(super) fn error(&self, error: reqwest::Error) -> BoxError {
        let is_of_other = self.may_follow_redirects || error.url() != Some(&self.url);
        match is_of_other && is_refused(&error) {
            true => MaybeRedirected::new(error).into(),
            false => error.into(),
        }
    }
}

/// Whether it is a refusal of the request that the client sent last.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let request = Request::new(());
    let outcome = Outcome::error(&request, error).with_request_body(BodyProgress::Begun);
    outcome.by_status().class() == Class::Refused
}

/// The same response, with the URL of the last request that was made for it.
pub(super) fn to_http(response: reqwest::Response) -> Response<reqwest::Body> {
    // The extension that it is kept in is a private type.
    let url = response.url().clone();
    let kept = Response::builder().url(url).body(());
    let (kept, ()) = kept.expect("no part of it is wrong").into_parts();
    let mut response = Response::from(response);
    response.extensions_mut().extend(kept.extensions);
    response
}

/// The same response, whatever body the layers have given it.
pub(super) fn from_http<R>(response: Response<R>) -> reqwest::Response
where
    R: Body + Send + Sync + 'static,
    R::Data: Into<Bytes>,
    R::Error: Into<BoxError>,
{
    response.map(into_body).into()
}

/// A body of reqwest's own is not wrapped a second time.
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
