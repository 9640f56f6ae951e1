pub mod body;
pub mod http2;
pub mod management;
pub mod server;
pub mod told;
pub mod upstream;
