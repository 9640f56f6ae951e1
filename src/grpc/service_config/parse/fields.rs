use serde_json::{Map, Value};

use crate::grpc::service_config::error::ServiceConfigError;
use crate::grpc::service_config::path::Path;

/// A value and its path.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    path: Path,
    value: &'a Value,
}

/// The fields of an object.
pub(super) struct Fields<'a> {
    path: Path,
    map: &'a Map<String, Value>,
}

impl<'a> Field<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self {
            path: Path::default(),
            value,
        }
    }

    pub(super) fn wrong(&self, problem: impl Into<String>) -> ServiceConfigError {
        self.path.wrong(problem)
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
            path: self.path.item(index),
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
    /// Returns a field, or `None` if it is missing or null.
    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(Field {
            path: self.path.field(name),
            value,
        })
    }

    pub(super) fn required(&self, name: &str) -> Result<Field<'a>, ServiceConfigError> {
        let missing = || self.path.field(name).wrong("is missing");
        self.get(name).ok_or_else(missing)
    }

    /// Returns the items of a list, or no items if the list is missing.
    pub(super) fn items(&self, name: &str) -> Result<Vec<Field<'a>>, ServiceConfigError> {
        self.get(name).map_or(Ok(Vec::new()), |list| list.items())
    }

    /// Returns a string, which is empty if it is missing.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, ServiceConfigError> {
        self.get(name).map_or(Ok(""), |text| text.text())
    }
}
