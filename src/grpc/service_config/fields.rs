use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};

/// A service config is wrong: says which field, and why.
///
/// # Example
///
/// ```
/// use tower_http_retry::grpc::ServiceConfig;
///
/// let tokens = r#"{ "retryThrottling": { "maxTokens": 2000, "tokenRatio": 0.1 } }"#;
/// let error = tokens.parse::<ServiceConfig>().unwrap_err();
/// assert_eq!(error.field(), "retryThrottling.maxTokens");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfigError {
    field: String,
    problem: String,
}

impl ServiceConfigError {
    pub(super) fn syntax(error: serde_json::Error) -> Self {
        Self::new("", format!("is not JSON: {error}"))
    }

    fn new(field: &str, problem: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            problem: problem.into(),
        }
    }

    /// The path of the field that is wrong, as in `methodConfig[1].retryPolicy.maxBackoff`; empty
    /// for the config as a whole.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for ServiceConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "the service config {}", self.problem),
            field => write!(f, "{field}: {}", self.problem),
        }
    }
}

impl Error for ServiceConfigError {}

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    path: String,
    value: &'a Value,
}

/// The fields of an object.
pub(super) struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Field<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self {
            path: String::new(),
            value,
        }
    }

    pub(super) fn wrong(&self, problem: impl Into<String>) -> ServiceConfigError {
        ServiceConfigError::new(&self.path, problem)
    }

    pub(super) fn fields(self) -> Result<Fields<'a>, ServiceConfigError> {
        match self.value {
            Value::Object(map) => Ok(Fields {
                path: self.path,
                map,
            }),
            _ => Err(self.wrong("is not an object")),
        }
    }

    pub(super) fn items(&self) -> Result<Vec<Self>, ServiceConfigError> {
        let Value::Array(values) = self.value else {
            return Err(self.wrong("is not a list"));
        };
        let item = |(index, value)| Field {
            path: format!("{}[{index}]", self.path),
            value,
        };
        Ok(values.iter().enumerate().map(item).collect())
    }

    pub(super) fn text(&self) -> Result<&'a str, ServiceConfigError> {
        let text = self.value.as_str();
        text.ok_or_else(|| self.wrong("is not a string"))
    }

    pub(super) fn number(&self) -> Result<f64, ServiceConfigError> {
        let number = self.value.as_f64();
        number.ok_or_else(|| self.wrong("is not a number"))
    }

    pub(super) fn whole(&self) -> Result<u64, ServiceConfigError> {
        let number = self.value.as_u64();
        number.ok_or_else(|| self.wrong("is not a whole number of zero or more"))
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.is_string()
    }
}

impl<'a> Fields<'a> {
    /// A field that is there; null is as good as nothing.
    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(Field {
            path: self.path_of(name),
            value,
        })
    }

    pub(super) fn required(&self, name: &str) -> Result<Field<'a>, ServiceConfigError> {
        let missing = || ServiceConfigError::new(&self.path_of(name), "is missing");
        self.get(name).ok_or_else(missing)
    }

    /// The items of a list, which may be missing.
    pub(super) fn items(&self, name: &str) -> Result<Vec<Field<'a>>, ServiceConfigError> {
        self.get(name).map_or(Ok(Vec::new()), |list| list.items())
    }

    /// A string, which may be missing.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, ServiceConfigError> {
        self.get(name).map_or(Ok(""), |text| text.text())
    }

    fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }
}
