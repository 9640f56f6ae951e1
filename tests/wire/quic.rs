//! Requests over QUIC, whose library says `NotConnected` of a connection that was lost in the middle.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use quinn::rustls::RootCertStore;
use quinn::rustls::pki_types::PrivatePkcs8KeyDer;
use quinn::{ClientConfig, Endpoint, Incoming, ServerConfig};
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::Class;
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, ReplayBody};

use crate::support::told::{Told, again, handed_over, success};

/// At most so many bytes of a request, and of an answer.
const LONGEST: usize = 1_024;

/// A server that acts on each request, and a client that trusts it.
struct Peers {
    client: Endpoint,
    address: SocketAddr,
    /// The requests that were acted on, as in `POST item`.
    acted: Arc<Mutex<Vec<String>>>,
}

impl Peers {
    /// The server closes so many connections instead of answering.
    fn new(closes: usize) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (certified.cert.der().clone(), certified.signing_key);
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = ServerConfig::with_single_cert(vec![certificate], key).unwrap();
        let server = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = server.local_addr().unwrap();
        let mut client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let config = ClientConfig::with_root_certificates(Arc::new(roots)).unwrap();
        client.set_default_client_config(config);
        let acted = Arc::default();
        tokio::spawn(serve(server, closes, Arc::clone(&acted)));
        Self {
            client,
            address,
            acted,
        }
    }

    fn acted(&self) -> Vec<String> {
        self.acted.lock().unwrap().clone()
    }
}

async fn serve(server: Endpoint, closes: usize, acted: Arc<Mutex<Vec<String>>>) {
    for number in 0.. {
        let Some(incoming) = server.accept().await else {
            return;
        };
        // However the client leaves.
        let _ = act(incoming, number < closes, &acted).await;
    }
}

/// Reads one request, acts on it, and closes the connection, or answers and waits for the client to.
async fn act(incoming: Incoming, closes: bool, acted: &Mutex<Vec<String>>) -> Result<(), BoxError> {
    let connection = incoming.await?;
    let (mut send, mut receive) = connection.accept_bi().await?;
    let request = receive.read_to_end(LONGEST).await?;
    acted.lock().unwrap().push(String::from_utf8(request)?);
    if closes {
        connection.close(0u32.into(), b"going away");
    } else {
        send.write_all(b"done").await?;
        send.finish()?;
        connection.closed().await;
    }
    Ok(())
}

/// Sends a request on a stream of a connection of its own, and reads its answer.
async fn attempt(
    client: Endpoint,
    address: SocketAddr,
    request: Request<ReplayBody<Full<Bytes>>>,
) -> io::Result<Response<Full<Bytes>>> {
    let connection = client.connect(address, "localhost");
    let connection = connection.map_err(io::Error::other)?.await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    let head = format!("{} ", request.method());
    let body = request.into_body().collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    send.write_all(&[head.as_bytes(), &body].concat()).await?;
    send.finish().map_err(io::Error::other)?;
    let mut answer = Vec::new();
    while let Some(chunk) = receive.read_chunk(LONGEST, true).await? {
        answer.extend(chunk.bytes);
    }
    Ok(Response::new(answer.into()))
}

/// Sends a request through two retries.
async fn send(method: Method, peers: &Peers) -> (Result<Response<Full<Bytes>>, BoxError>, Told) {
    let told = Told::default();
    let service = told.layer().layer(service_fn(|request| {
        attempt(peers.client.clone(), peers.address, request)
    }));
    let request = Request::builder()
        .method(method)
        .uri("https://localhost/item");
    let request = request.body(Full::from("item")).unwrap();
    (service.oneshot(request).await, told)
}

#[tokio::test]
async fn a_post_whose_connection_is_lost_after_it_was_acted_on_is_acted_on_once() {
    let peers = Peers::new(6);
    let (result, told) = send(Method::POST, &peers).await;
    let error = result.unwrap_err().downcast::<io::Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert_eq!(peers.acted(), ["POST item"]);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent);
    assert_eq!(told.outcomes(), [stop]);
}

#[tokio::test]
async fn a_get_whose_connection_is_lost_is_sent_again() {
    let peers = Peers::new(1);
    let (result, told) = send(Method::GET, &peers).await;
    let answer = result.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), "done");
    assert_eq!(peers.acted(), ["GET item"; 2]);
    assert_eq!(told.outcomes(), [again(Class::Transient), success()]);
}
