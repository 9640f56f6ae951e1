//! A TCP proxy that cuts each connection.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::listener::Listener;

/// The most bytes that are read from the server at a time.
const BUFFER: u64 = 64 * 1024;

/// Forwards connections to a server, until it is dropped.
pub(crate) struct CuttingProxy {
    listener: Listener,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    crossed: AtomicU64,
    cuts: AtomicU32,
}

impl CuttingProxy {
    /// Starts a proxy. It cuts each connection after a random number of bytes from the server, in the
    /// range `cuts`.
    pub(crate) async fn start(
        server: SocketAddr,
        cuts: RangeInclusive<u64>,
        seed: u64,
    ) -> io::Result<Self> {
        let counts = Arc::<Counts>::default();
        let counted = counts.clone();
        let mut rng = Rng::with_seed(seed);
        let listener = Listener::start(move |client| {
            let (limit, counts) = (rng.u64(cuts.clone()), counted.clone());
            async move {
                // If the client or the server breaks the connection, the other one is closed, too.
                let _ = pass(client, server, limit, &counts).await;
            }
        });
        Ok(Self {
            listener: listener.await?,
            counts,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// How many bytes were forwarded from the server to the client. All of them arrive, because a connection
    /// is closed after them, and not reset.
    pub(crate) fn crossed(&self) -> u64 {
        self.counts.crossed.load(Ordering::Relaxed)
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> u32 {
        self.counts.cuts.load(Ordering::Relaxed)
    }
}

/// Forwards data until the client or the server closes the connection, or it is cut.
async fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    limit: u64,
    counts: &Counts,
) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut from_client, to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    tokio::select! {
        passed = copy(&mut from_client, &mut to_server) => passed.map(drop),
        passed = pass_limited(from_server, to_client, limit, counts) => passed,
    }
}

async fn pass_limited(
    mut from_server: ReadHalf<'_>,
    mut to_client: WriteHalf<'_>,
    limit: u64,
    counts: &Counts,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER as usize];
    let mut left = limit;
    while left > 0 {
        let next = &mut buffer[..left.min(BUFFER) as usize];
        let read = from_server.read(next).await?;
        if read == 0 {
            return Ok(());
        }
        // Counted before the client can receive the bytes, so that the count is never too low.
        counts.crossed.fetch_add(read as u64, Ordering::Relaxed);
        to_client.write_all(&next[..read]).await?;
        left -= read as u64;
    }
    counts.cuts.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
