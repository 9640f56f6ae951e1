//! Errors of hyper-util's client.

use std::error::Error;

use http::Uri;
use hyper_util::client::legacy::Error as ClientError;
use hyper_util::client::legacy::connect::HttpConnector;
use tower::Service;

use super::{Class, Verdict, errors};

/// It can be named only in this way.
type ConnectError = <HttpConnector as Service<Uri>>::Error;

pub(super) fn read(error: &(dyn Error + 'static)) -> Option<Verdict> {
    let client = error.downcast_ref::<ClientError>()?;
    if !client.is_connect() {
        None
    } else if errors::chain(error).any(is_bad_uri) {
        Some(Class::Permanent.into())
    } else {
        Some(errors::connect(error))
    }
}

/// What the connector says of a URI has no cause; what it meets on the network has one.
fn is_bad_uri(error: &(dyn Error + 'static)) -> bool {
    let connect = error.downcast_ref::<ConnectError>();
    connect.is_some_and(|error| error.source().is_none())
}
