//! Errors of hyper-util's client.

use std::error::Error;

use super::{Verdict, errors};

pub(super) fn read(error: &(dyn Error + 'static)) -> Option<Verdict> {
    let client = error.downcast_ref::<hyper_util::client::legacy::Error>()?;
    client.is_connect().then(|| errors::connect(error))
}
