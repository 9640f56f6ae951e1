//! Errors of tower.

use std::error::Error;

use tower::timeout::error::Elapsed;

pub(super) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error.is::<Elapsed>()
}
