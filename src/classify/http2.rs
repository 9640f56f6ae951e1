//! Errors of HTTP/2.

use std::error::Error;

use super::{Class, Verdict, errors};

pub(super) fn read(error: &(dyn Error + 'static)) -> Option<Verdict> {
    let error = error.downcast_ref::<h2::Error>()?;
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    // h2 fails with a GOAWAY only the streams above its last stream id. (hyper can also report
    // one that it meets just after it has sent the request; the two look alike.)
    if error.is_remote() && (refused || error.is_go_away()) {
        Some(Class::Refused.at_once())
    } else if error.is_remote() && error.is_reset() {
        Some(Class::Transient.into())
    } else {
        error.get_io().and_then(errors::of_io)
    }
}
