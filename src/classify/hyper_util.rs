//! Errors of hyper-util's client.

use std::error::Error;
use std::io::{self, ErrorKind};

use http::Uri;
use hyper_util::client::legacy::Error as ClientError;
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::class::Class;
use crate::error::chain;

/// It can be named only in this way.
type ConnectError = <HttpConnector as Service<Uri>>::Error;

pub(super) fn read(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
    let client = error.downcast_ref::<ClientError>();
    // Its connector serves other clients as well: tonic's.
    let is_connect = client.is_some_and(ClientError::is_connect) || error.is::<ConnectError>();
    is_connect.then(|| connect(error))
}

/// A failure to connect: nobody acted on the request. What will not pass is permanent.
pub(super) fn connect(error: &(dyn Error + 'static)) -> Verdict {
    let is_permanent = |cause| is_bad_uri(cause) || is_invalid(cause);
    match chain(error).any(is_permanent) {
        true => Class::Permanent.into(),
        false => Class::Refused.into(),
    }
}

/// What the connector says of a URI has no cause; what it meets on the network has one.
fn is_bad_uri(error: &(dyn Error + 'static)) -> bool {
    let connect = error.downcast_ref::<ConnectError>();
    connect.is_some_and(|error| error.source().is_none())
}

/// So a TLS implementation reports a bad certificate.
fn is_invalid(error: &(dyn Error + 'static)) -> bool {
    let kind = error.downcast_ref().map(io::Error::kind);
    matches!(kind, Some(ErrorKind::InvalidData | ErrorKind::InvalidInput))
}
