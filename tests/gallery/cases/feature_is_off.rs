//! What a feature adds is there with that feature.

use tower_http_retry::grpc::PeekTrailersLayer;

fn main() {
    let _ = PeekTrailersLayer::new();
}
