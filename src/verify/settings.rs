use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::MaxSizeReached;
use http::{Method, Request, StatusCode, request, response};

use super::finding::{Finding, Operation};
use super::probe;
use super::unverified::Doubt;
use crate::head::{RequestHead, ResponseHead};
use crate::redirected::was_redirected;

/// The settings of a layer.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) probe: Arc<Probe>,
    pub(super) method: Option<Method>,
    pub(super) put_creates: bool,
    pub(super) same: Option<Arc<Same>>,
    pub(super) same_body: Option<SameBody>,
    pub(super) conflict_statuses: Vec<StatusCode>,
}

/// Compares an item with the one that the request creates, by its content up to a limit.
#[derive(Clone)]
pub(super) struct SameBody {
    pub(super) limit: usize,
    pub(super) is_same: Arc<IsSame>,
}

type Probe = dyn Fn(&RequestHead<'_>) -> Option<Request<()>> + Send + Sync;
type Same = dyn Fn(&RequestHead<'_>, &ResponseHead<'_>) -> bool + Send + Sync;
type IsSame = dyn Fn(&RequestHead<'_>, &ResponseHead<'_>, &Bytes) -> bool + Send + Sync;

impl Settings {
    /// The operation to verify and its probe. `None` if the request is not verified.
    pub(super) fn question(
        &self,
        head: &request::Parts,
    ) -> Result<Option<(Operation, Request<()>)>, MaxSizeReached> {
        let Some(operation) = Operation::of(head, self.put_creates) else {
            return Ok(None);
        };
        let Some(probe) = (self.probe)(&RequestHead::of_parts(head)) else {
            return Ok(None);
        };
        let mut probe = probe::complete(probe, head)?;
        if let Some(method) = &self.method {
            *probe.method_mut() = method.clone();
        }
        // A response to HEAD has no body that could be compared.
        let is_compared = operation == Operation::Create && self.same_body.is_some();
        if is_compared && *probe.method() == Method::HEAD {
            *probe.method_mut() = Method::GET;
        }
        Ok(Some((operation, probe)))
    }

    /// What the head of the response to a probe shows.
    pub(super) fn finding(
        &self,
        operation: Operation,
        head: &request::Parts,
        probe: &Request<()>,
        probed: &response::Parts,
    ) -> Finding {
        if was_redirected(probe.uri(), &probed.extensions) {
            return Finding::Undecidable(Doubt::Redirected);
        }
        let same = self.same.as_ref();
        operation.finding(probed, |probed| {
            same.is_none_or(|same| {
                same(
                    &RequestHead::of_parts(head),
                    &ResponseHead::of_parts(probed),
                )
            })
        })
    }

    pub(super) fn is_conflict(&self, operation: Operation, status: StatusCode) -> bool {
        operation.is_conflict(status) || self.conflict_statuses.contains(&status)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            probe: Arc::new(probe::on_the_same_uri),
            method: None,
            put_creates: false,
            same: None,
            same_body: None,
            conflict_statuses: Vec::new(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("method", &self.method)
            .field("put_creates", &self.put_creates)
            .field("conflict_statuses", &self.conflict_statuses)
            .finish_non_exhaustive()
    }
}
