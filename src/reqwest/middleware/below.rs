use std::error::Error;
use std::fmt;

/// An error of a middleware below the retry. The text and the sources of a `reqwest_middleware::Error` are
/// those of the error that it wraps; the sources of this type include that error.
#[derive(Debug)]
pub(super) struct Below(pub(super) reqwest_middleware::Error);

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a middleware below the retry failed")
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
