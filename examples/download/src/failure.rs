//! Why a download failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use http::StatusCode;
use tower_http_retry::BoxError;
use tower_http_retry::commit::BrokenAnswer;
use tower_http_retry::resume::ResumeError;

#[derive(Debug)]
pub(crate) enum Failure {
    /// No response came.
    NoResponse(BoxError),
    /// The status is not 200.
    Status(StatusCode),
    /// Only the end of the connection marks the end of the body.
    Unframed,
    /// The body ended with an error.
    Incomplete(BoxError),
    Write(WriteError),
    /// The demonstration cannot run.
    Demo(io::Error),
}

#[derive(Debug)]
pub(crate) struct WriteError {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

impl Failure {
    /// Returns the failure of a request that ended with an error.
    pub(crate) fn of_request(error: BoxError) -> Self {
        match error.downcast_ref::<BrokenAnswer>() {
            Some(broken) if broken.response().status() != StatusCode::OK => {
                Self::Status(broken.response().status())
            }
            Some(_) => Self::Incomplete(error),
            None => Self::NoResponse(error),
        }
    }

    /// The exit statuses of curl, except for that of the demonstration.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Demo(_) => 1,
            Self::NoResponse(_) => 7,
            Self::Incomplete(_) | Self::Unframed => 18,
            Self::Status(_) => 22,
            Self::Write(_) => 23,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResponse(error) => write!(f, "no response: {}", with_causes(&**error)),
            Self::Status(status) => write!(f, "the server answered {status}"),
            Self::Unframed => f.write_str(
                "only the end of the connection says where the body ends, and so not whether it is whole",
            ),
            Self::Incomplete(error) => {
                let error = &**error;
                write!(f, "not whole: {}", with_causes(error))?;
                match error.is::<ResumeError>() || error.is::<BrokenAnswer>() {
                    true => Ok(()),
                    false => write!(f, "; this response cannot be resumed"),
                }
            }
            Self::Write(WriteError { path, error }) => {
                write!(f, "cannot write {}: {error}", path.display())
            }
            Self::Demo(error) => write!(f, "the demonstration cannot run: {error}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Demo(error)
    }
}

/// An error with its causes. The text of the client's error alone does not contain them.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors repeat the text of their cause.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
