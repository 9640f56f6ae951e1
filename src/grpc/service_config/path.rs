use super::error::ServiceConfigError;

/// Where a field is in a config, as in `methodConfig[1].retryPolicy`; empty for the config as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn field(&self, name: &str) -> Self {
        match self.0.as_str() {
            "" => Self(name.to_owned()),
            path => Self(format!("{path}.{name}")),
        }
    }

    pub(super) fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    pub(super) fn wrong(&self, problem: impl Into<String>) -> ServiceConfigError {
        ServiceConfigError::new(&self.0, problem)
    }

    /// The value of this field, if it is above zero: a number or a duration.
    pub(super) fn above_zero<T>(&self, value: T) -> Result<T, ServiceConfigError>
    where
        T: PartialOrd + Default,
    {
        match value > T::default() {
            true => Ok(value),
            false => Err(self.wrong("is not above zero")),
        }
    }
}
