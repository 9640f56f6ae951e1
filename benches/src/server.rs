use std::convert::Infallible;
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::process::{self, Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

use crate::bench::runtime;

/// A server on 127.0.0.1 in a separate process, so that its CPU time is not counted.
pub struct Server {
    child: Child,
    uri: Uri,
}

impl Server {
    /// Starts a server that responds with 503 to `failures` requests, then with 200 to one, and so on.
    pub fn start(failures: usize) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["serve", &failures.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("piped");
        BufReader::with_capacity(1, output).read_line(&mut line)?;
        let uri = format!("http://127.0.0.1:{}/items/7", line.trim());
        let uri = uri.parse().map_err(io::Error::other)?;
        Ok(Self { child, uri })
    }

    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Stops the server, and returns how many connections it accepted.
    pub fn connections(mut self) -> io::Result<u64> {
        drop(self.child.stdin.take());
        let mut text = String::new();
        let output = self.child.stdout.as_mut().expect("piped");
        output.read_to_string(&mut text)?;
        text.trim().parse().map_err(io::Error::other)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server stops at the end of its standard input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves until the end of standard input. Prints the port, and at the end the number of connections.
pub fn serve(failures: usize) -> io::Result<()> {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        println!("{}", counted.load(Ordering::Relaxed));
        process::exit(0);
    });
    runtime().block_on(async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?.port());
        io::stdout().flush()?;
        let answered = Arc::new(AtomicUsize::new(0));
        loop {
            let (stream, _) = listener.accept().await?;
            connections.fetch_add(1, Ordering::Relaxed);
            stream.set_nodelay(true)?;
            tokio::spawn(attend(stream, answered.clone(), failures));
        }
    })
}

/// Serves a connection over HTTP/1.1 or HTTP/2, depending on the client's first bytes.
async fn attend(stream: TcpStream, answered: Arc<AtomicUsize>, failures: usize) {
    let service = service_fn(move |_: Request<Incoming>| {
        let number = answered.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new(Late::Small(Bytes::from_static(b"{}")));
        if number % (failures + 1) < failures {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            *response.body_mut() = Late::Page;
        }
        async move { Ok::<_, Infallible>(response) }
    });
    // The client may close the connection at any time.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A response's body.
enum Late {
    Small(Bytes),
    /// Is written separately after the head, as by a server that renders an error page.
    Page,
    PageNow,
    End,
}

impl Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static PAGE: [u8; 32 * 1024] = [b'x'; 32 * 1024];
        let data = match mem::replace(&mut *self, Self::End) {
            Self::Small(data) => Some(data),
            Self::Page => {
                // The connection writes the head before it polls the body again.
                *self = Self::PageNow;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::PageNow => Some(Bytes::from_static(&PAGE)),
            Self::End => None,
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::End)
    }
}
