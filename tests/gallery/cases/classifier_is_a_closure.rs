//! A closure goes to `classify_fn`.

use tower_http_retry::classify::Classify;
use tower_http_retry::{ByStatus, RetryLayer};

fn main() {
    let _ = RetryLayer::new().classify(|outcome| ByStatus::new().classify(outcome));
}
