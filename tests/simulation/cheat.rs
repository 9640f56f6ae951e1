//! The deliberate mistakes between the `ResumeLayer` and the `RetryLayer`.

use http::header::{
    CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{HeaderValue, Request, Response, StatusCode};

use super::sabotage::Sabotage;
use super::serving::bounds;

pub struct Cheat {
    sabotage: Option<Sabotage>,
    is_resumption: bool,
    etag: Option<HeaderValue>,
    range: Option<(u64, u64)>,
}

impl Cheat {
    pub fn new<B>(sabotage: Option<Sabotage>, request: &Request<B>, is_resumption: bool) -> Self {
        Self {
            sabotage,
            is_resumption,
            etag: request.headers().get(IF_MATCH).cloned(),
            range: bounds(request.headers()),
        }
    }

    pub fn ask<B>(&self, request: &mut Request<B>) {
        let headers = request.headers_mut();
        match self.sabotage {
            Some(Sabotage::ForgetsTheCondition) => {
                headers.remove(IF_MATCH);
                headers.remove(IF_UNMODIFIED_SINCE);
            }
            Some(Sabotage::AsksForAll) => {
                headers.remove(RANGE);
            }
            _ => {}
        }
    }

    /// Changes a request after it has been recorded.
    pub fn send<B>(&self, request: &mut Request<B>) {
        if self.sabotage == Some(Sabotage::Splices) {
            request.headers_mut().remove(IF_MATCH);
            request.headers_mut().remove(IF_UNMODIFIED_SINCE);
        }
    }

    pub fn answer<R>(&self, mut response: Response<R>) -> Response<R> {
        let is_all = response.status() == StatusCode::OK;
        match (self.sabotage, self.is_resumption) {
            (Some(Sabotage::ResumesTheWeak), _) => strengthen(&mut response),
            (Some(Sabotage::Splices), true) => self.pretend_the_same(&mut response),
            (Some(Sabotage::AppendsAll), true) if is_all => self.pretend_the_rest(&mut response),
            _ => {}
        }
        response
    }

    fn pretend_the_same<R>(&self, response: &mut Response<R>) {
        let headers = response.headers_mut();
        headers.remove(LAST_MODIFIED);
        headers.remove(ETAG);
        if let Some(etag) = &self.etag {
            headers.insert(ETAG, etag.clone());
        }
    }

    fn pretend_the_rest<R>(&self, response: &mut Response<R>) {
        let (first, last) = self.range.unwrap_or_default();
        let range = format!("bytes {first}-{last}/*").parse();
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_RANGE, range.expect("a range"));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
}

fn strengthen<R>(response: &mut Response<R>) {
    let Some(etag) = response.headers_mut().get_mut(ETAG) else {
        return;
    };
    if let Some(strong) = etag.as_bytes().strip_prefix(b"W/") {
        *etag = HeaderValue::from_bytes(strong).expect("a part of a value");
    }
}
