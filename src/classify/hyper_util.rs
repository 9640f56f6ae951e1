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

/// The connector's error, whose type hyper-util does not export.
type ConnectError = <HttpConnector as Service<Uri>>::Error;

pub(super) fn read(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
    let client = error.downcast_ref::<ClientError>();
    // Other clients use the connector, too, such as tonic's.
    let is_connect = client.is_some_and(ClientError::is_connect) || error.is::<ConnectError>();
    is_connect.then(|| connect(error))
}

/// Classifies a failed connection attempt. It is a refusal, because the server did not receive the request,
/// or permanent if a retry would fail in the same way.
pub(super) fn connect(error: &(dyn Error + 'static)) -> Verdict {
    let is_permanent = |cause| is_bad_uri(cause) || is_invalid(cause);
    match chain(error).any(is_permanent) {
        true => Class::Permanent.into(),
        false => Class::Refused.into(),
    }
}

/// Whether the connector rejected the URI. This error has no source; an error of the network has one.
fn is_bad_uri(error: &(dyn Error + 'static)) -> bool {
    let connect = error.downcast_ref::<ConnectError>();
    connect.is_some_and(|error| error.source().is_none())
}

/// Whether the error is of a kind with which TLS implementations report an invalid certificate.
fn is_invalid(error: &(dyn Error + 'static)) -> bool {
    let kind = error.downcast_ref().map(io::Error::kind);
    matches!(kind, Some(ErrorKind::InvalidData | ErrorKind::InvalidInput))
}
