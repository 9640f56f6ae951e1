//! A closure returns a `Verdict`, which a `Class` is turned into.

use tower_http_retry::RetryLayer;
use tower_http_retry::classify::Class;

fn main() {
    let _ = RetryLayer::new().classify_fn(|_| Class::Transient);
}
