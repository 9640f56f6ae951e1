use super::error::ServiceConfigError;

/// The path of a field in a config, such as `methodConfig[1].retryPolicy`. Empty for the config as a whole.
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

    /// Returns the value of this field, a number or a duration, if it is above zero.
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
