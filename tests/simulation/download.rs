//! The way in which the caller reads a download.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_RANGE;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use tower_http_retry::BoxError;
use tower_http_retry::resume::ResumeError;

use super::file::{File, VERSIONS};
use super::journal::{Begun, Downloaded, End};
use super::parts::Download;
use super::sabotage::Sabotage;
use super::serving::VERSION;
use super::stack::Answered;

/// The time after which the caller drops the body.
const PATIENCE: Duration = Duration::from_secs(4);

/// Returns what the head of a response with a file, or a part of it, states about the body.
pub fn begun(response: &Response<Answered>) -> Begun {
    let headers = response.headers();
    let number = |name: &str| text(headers, name)?.parse().ok();
    let range = (response.status() == StatusCode::PARTIAL_CONTENT).then(|| {
        let (first, last) = range(headers).expect("a part of the file");
        (first, Some(last + 1 - first))
    });
    let length = number("content-length");
    let (first, promised) = range.unwrap_or((0, length));
    Begun {
        version: number(VERSION).expect("a version") as u32,
        first,
        promised,
        has_length: length.is_some(),
    }
}

/// Returns the first and the last byte of a part.
fn range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let range = text(headers, CONTENT_RANGE.as_str())?;
    let (range, _) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads a body until its end, or until the caller has enough.
pub struct Reader<'a> {
    pub file: &'a File,
    pub enough: Option<u64>,
    pub download: &'a Download,
    pub sabotage: Option<Sabotage>,
}

impl Reader<'_> {
    pub async fn read(&self, body: Answered, begun: Begun) -> Downloaded {
        let mut bytes = Vec::new();
        let end = self.fill(body, &mut bytes).await;
        let has = |version: &u32| self.file.has(*version, begun.first, &bytes);
        let versions = (0..VERSIONS).filter(has).map(|version| 1 << version);
        Downloaded {
            bytes: bytes.len() as u64,
            versions: versions.sum(),
            end,
        }
    }

    async fn fill(&self, mut body: Answered, bytes: &mut Vec<u8>) -> End {
        let until = Instant::now() + PATIENCE;
        let mut held = Held::new(self.sabotage);
        loop {
            if self
                .enough
                .is_some_and(|enough| bytes.len() as u64 >= enough)
            {
                return End::Left;
            }
            let data = match timeout_at(until, body.frame()).await {
                Err(_) => return End::Left,
                Ok(None) => {
                    bytes.extend(held.rest());
                    return End::Ended;
                }
                Ok(Some(Err(error))) => return self.end(&error),
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            };
            let had = &self.download.had;
            had.fetch_add(data.len() as u64, Ordering::Relaxed);
            bytes.extend(held.pass(data));
        }
    }

    fn end(&self, error: &BoxError) -> End {
        if self.sabotage == Some(Sabotage::EndsSilently) {
            return End::Ended;
        }
        let Some(error) = error.downcast_ref::<ResumeError>() else {
            return End::Error;
        };
        End::Unresumed {
            delivered: error.delivered(),
            expected: error.expected(),
            why: error.unresumable(),
        }
    }
}

/// Holds back a frame if the last one before an error is to be lost.
struct Held(Option<VecDeque<Bytes>>);

impl Held {
    fn new(sabotage: Option<Sabotage>) -> Self {
        Self((sabotage == Some(Sabotage::LosesAFrame)).then(VecDeque::new))
    }

    fn pass(&mut self, data: Bytes) -> Bytes {
        let Some(held) = &mut self.0 else {
            return data;
        };
        held.push_back(data);
        if held.len() > 1 {
            return held.pop_front().unwrap_or_default();
        }
        Bytes::new()
    }

    fn rest(&mut self) -> Bytes {
        self.0
            .as_mut()
            .and_then(VecDeque::pop_front)
            .unwrap_or_default()
    }
}
