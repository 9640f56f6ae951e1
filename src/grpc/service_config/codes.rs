use super::error::ServiceConfigError;
use super::path::Path;
use crate::grpc::by_grpc_status::ByGrpcStatus;
use crate::grpc::code::Code;

/// The problem of a name or number that is not a status code.
pub(super) const UNKNOWN: &str = "is no status code";

/// Status codes by their numbers, which are not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Codes(Vec<i32>);

impl Codes {
    pub(super) fn new(codes: impl IntoIterator<Item = impl Into<i32>>) -> Self {
        Self(codes.into_iter().map(Into::into).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks the codes, and returns a classifier that retries them.
    pub(super) fn check(&self, at: &Path) -> Result<ByGrpcStatus, ServiceConfigError> {
        let mut retried = ByGrpcStatus::none();
        for (index, number) in self.0.iter().enumerate() {
            let at = at.item(index);
            match Code::new(*number) {
                Some(code) if code.is_ok() => {
                    return Err(at.wrong("is OK, which is not a failure"));
                }
                Some(_) => retried = retried.also(*number),
                None => return Err(at.wrong(UNKNOWN)),
            }
        }
        Ok(retried)
    }
}
