use super::error::ServiceConfigError;
use super::path::Path;

/// The problem of a name with a slash, which no call has.
const SLASH: &str = "has a slash";

/// The calls that an entry of `methodConfig` applies to.
#[derive(Clone, Debug)]
pub(super) enum Name {
    /// All calls that no other name applies to.
    Default,
    Service(String),
    Method {
        service: String,
        method: String,
    },
}

impl Name {
    /// Returns `service/method`, `service/`, or an empty string for the default.
    pub(super) fn key(self, at: &Path) -> Result<String, ServiceConfigError> {
        match self {
            Self::Default => Ok(String::new()),
            Self::Service(service) if service.is_empty() => {
                Err(at.field("service").wrong("is empty"))
            }
            Self::Service(service) if service.contains('/') => {
                Err(at.field("service").wrong(SLASH))
            }
            Self::Service(service) => Ok(service + "/"),
            Self::Method { service, .. } if service.is_empty() => {
                Err(at.field("method").wrong("has no service"))
            }
            Self::Method { method, .. } if method.is_empty() => {
                Err(at.field("method").wrong("is empty"))
            }
            Self::Method { service, .. } if service.contains('/') => {
                Err(at.field("service").wrong(SLASH))
            }
            Self::Method { method, .. } if method.contains('/') => {
                Err(at.field("method").wrong(SLASH))
            }
            Self::Method { service, method } => Ok(format!("{service}/{method}")),
        }
    }
}
