pub mod body;
pub mod http2;
pub mod items;
pub mod management;
pub mod operation;
pub mod server;
pub mod told;
pub mod upstream;
