//! reqwest's client under the layers: as a service, and with middleware.

mod bodies;
mod middleware;
mod peers;
mod service;

#[path = "../support"]
mod support {
    pub mod http2;
    pub mod server;
    pub mod step;
    pub mod told;
}

use support::server::Turn;

/// A turn that answers with this head, and no body.
fn answer(status: &str, headers: &[(&str, &str)]) -> Turn {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    Turn::Answer((head + "\r\n").leak())
}

fn status(status: u16) -> Turn {
    answer(&format!("{status} -"), &[])
}

fn see_other(location: &str) -> Turn {
    answer("303 See Other", &[("location", location)])
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}
