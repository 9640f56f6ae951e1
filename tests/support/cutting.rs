//! A proxy on 127.0.0.1 that cuts off connections.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// Starts a proxy that closes a connection after a number of bytes from the server. The first connection
/// uses the first entry of `after`, and so on. Connections after the last entry are not closed.
pub async fn cut(server: SocketAddr, after: Vec<u64>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut after = after.into_iter();
        while let Ok((client, _)) = listener.accept().await {
            let bytes = after.next().unwrap_or(u64::MAX);
            tokio::spawn(pass(client, server, bytes));
        }
    });
    address
}

async fn pass(mut client: TcpStream, server: SocketAddr, bytes: u64) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut asks, mut answers) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut from_server = from_server.take(bytes);
    tokio::select! {
        _ = copy(&mut asks, &mut to_server) => {}
        _ = copy(&mut from_server, &mut answers) => {}
    }
    let _ = client.shutdown().await;
}
