use std::borrow::Cow;
use std::fmt;

use http::Uri;

/// The scheme, host and port of a URI, in lower case and without the default port of the scheme. All URIs
/// without a host, such as `/items/7`, have the same authority.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authority<'a> {
    scheme: Cow<'a, str>,
    host: Cow<'a, str>,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(crate) fn of(uri: &'a Uri) -> Self {
        let scheme = lower_case(uri.scheme_str().unwrap_or_default());
        let usual = match &*scheme {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        };
        Self {
            host: lower_case(uri.host().unwrap_or_default()),
            port: uri.port_u16().filter(|port| Some(*port) != usual),
            scheme,
        }
    }

    /// Returns the authority with its scheme, or an empty string if the URI has neither a scheme nor a host.
    pub(crate) fn origin(&self) -> String {
        match self.scheme.is_empty() {
            true => self.to_string(),
            false => format!("{}://{self}", self.scheme),
        }
    }

    pub(crate) fn into_owned(self) -> Authority<'static> {
        Authority {
            scheme: Cow::Owned(self.scheme.into_owned()),
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
        }
    }
}

/// Writes the host and port as in a URI, without user info.
impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

fn lower_case(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests;
