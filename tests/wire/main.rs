//! Real clients and servers, over loopback.

mod body_wire;
#[cfg(feature = "hyper-util")]
mod commit;
#[cfg(all(feature = "http2", feature = "hyper-util"))]
mod commit_http2;
#[cfg(feature = "reqwest")]
mod commit_reqwest;
mod connections;
#[cfg(feature = "hyper-util")]
mod errors_http1;
#[cfg(all(feature = "http2", feature = "hyper-util"))]
mod errors_http2;
#[cfg(feature = "reqwest")]
mod errors_reqwest;
mod guide;
#[cfg(feature = "hyper-util")]
mod hedge;
mod hostile;
mod quic;
#[cfg(feature = "hyper-util")]
mod quota;
#[cfg(feature = "hyper-util")]
mod redirects;
#[cfg(feature = "hyper-util")]
mod resume;
mod verify_wire;

#[path = "../support"]
mod support {
    pub mod body;
    #[cfg(feature = "hyper-util")]
    pub mod cutting;
    pub mod errors;
    pub mod hostile;
    #[cfg(feature = "http2")]
    pub mod http2;
    pub mod items;
    pub mod operation;
    pub mod server;
    pub mod step;
    pub mod stops;
    pub mod told;
    pub mod upstream;
}
