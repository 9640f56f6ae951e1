//! Reading the status of calls from trailers.

mod body;
mod future;
mod layer;
mod service;
mod trailers;

pub use body::PeekedBody;
pub use future::PeekFuture;
pub use layer::PeekTrailersLayer;
pub use service::PeekTrailers;
pub use trailers::PeekedTrailers;
