//! Not every number is a status.

use tower_http_retry::ByStatus;

fn main() {
    let _ = ByStatus::new().also(1023);
    let _ = ByStatus::new().except(501);
}
