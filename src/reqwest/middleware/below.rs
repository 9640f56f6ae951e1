use std::error::Error;
use std::fmt;

/// An error of a middleware below. Its own chain of sources leaves the error out that it wraps.
#[derive(Debug)]
pub(super) struct Below(pub(super) reqwest_middleware::Error);

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Below {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match &self.0 {
            reqwest_middleware::Error::Reqwest(error) => error,
            reqwest_middleware::Error::Middleware(error) => &**error,
        })
    }
}
