use std::path::Path;

use tower_http_retry::BoxError;
use tower_http_retry::config::RetryConfig;

/// The format of a file with settings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Toml,
    Json,
    Yaml,
}

impl Format {
    /// Determines the format by the extension of the file. Returns `None` if the extension is unknown.
    pub(crate) fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    pub(crate) fn read(self, text: &str) -> Result<RetryConfig, BoxError> {
        Ok(match self {
            Self::Toml => toml::from_str(text)?,
            Self::Json => serde_json::from_str(text)?,
            Self::Yaml => serde_saphyr::from_str(text)?,
        })
    }

    pub(crate) fn write(self, config: &RetryConfig) -> Result<String, BoxError> {
        Ok(match self {
            Self::Toml => toml::to_string(config)?,
            Self::Json => serde_json::to_string_pretty(config)?,
            Self::Yaml => serde_saphyr::to_string(config)?,
        })
    }
}
