use super::error::ServiceConfigError;
use super::path::Path;

/// No call has such a name.
const SLASH: &str = "has a slash";

/// Which calls an entry of `methodConfig` is for.
#[derive(Clone, Debug)]
pub(super) enum Name {
    /// All that no other name is for.
    Default,
    Service(String),
    Method {
        service: String,
        method: String,
    },
}

impl Name {
    /// `service/method`, `service/`, or nothing.
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
