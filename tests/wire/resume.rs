//! Downloads from tower-http's `ServeDir`, over connections that are cut.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::services::ServeDir;
use tower_http_retry::resume::{ResumeError, Unresumable};
use tower_http_retry::{Backoff, BoxError, ResumeLayer, RetryLayer};

use crate::support::body::pattern;
use crate::support::cutting::cut;

type Nothing = Empty<Bytes>;

/// A folder of its own for each test, which is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-http-retry-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Writes the file, as of so many seconds ago.
    fn write(&self, bytes: &[u8], seconds: u64) {
        let path = self.0.join("file");
        // Whoever reads the old one reads on in it.
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        let modified = SystemTime::now() - Duration::from_secs(seconds);
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Serves a folder, and notes the range of each request.
async fn serve(folder: &Folder) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let ranges = Arc::new(Mutex::new(vec![]));
    let noted = ranges.clone();
    let note = move |request: Request<axum::body::Body>| {
        let range = request.headers().get("range");
        let range = range
            .map_or("-", |range| range.to_str().unwrap())
            .to_owned();
        noted.lock().unwrap().push(range);
        request
    };
    let files = ServiceBuilder::new()
        .map_request(note)
        .service(ServeDir::new(&folder.0));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback_service(files);
    tokio::spawn(async { axum::serve(listener, router).await });
    (address, ranges)
}

fn get(address: SocketAddr) -> Request<Nothing> {
    let uri = format!("http://{address}/file");
    Request::get(uri).body(Nothing::new()).unwrap()
}

fn resume() -> ResumeLayer {
    ResumeLayer::new().backoff(Backoff::fixed(Duration::ZERO))
}

fn client() -> impl Service<
    Request<Nothing>,
    Response = Response<impl http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static>,
    Error = BoxError,
    Future: Send,
> + Clone
+ Send
+ Sync
+ 'static {
    ServiceBuilder::new()
        .layer(resume())
        .layer(RetryLayer::new())
        .service(Client::builder(TokioExecutor::new()).build_http())
}

#[tokio::test]
async fn a_file_comes_whole_over_connections_that_are_cut() {
    let folder = Folder::new();
    let file = pattern(1_000_000);
    folder.write(&file, 60);
    let (server, ranges) = serve(&folder).await;
    // The last connections are cut in the head, and right after it.
    let proxy = cut(server, vec![100_000, 400_000, 300_000, 20, 300]).await;
    let response = client().oneshot(get(proxy)).await.unwrap();
    assert_eq!(response.headers()["content-length"], "1000000");
    let body = response.into_body().collect().await.unwrap();
    assert!(body.to_bytes() == file, "the file differs");
    let ranges = ranges.lock().unwrap();
    assert_eq!(ranges[0], "-");
    assert_eq!(ranges.len(), 6);
    let starts: Vec<usize> = ranges[1..]
        .iter()
        .map(|range| {
            let range = range.strip_prefix("bytes=").unwrap();
            range.strip_suffix("-999999").unwrap().parse().unwrap()
        })
        .collect();
    // Where the bytes that came had ended, less their heads: nothing is asked for twice.
    assert!(starts[0] > 99_000 && starts[0] <= 100_000, "{starts:?}");
    assert!(starts.is_sorted(), "{starts:?}");
}

#[tokio::test]
async fn of_a_file_that_is_replaced_nothing_is_appended() {
    let folder = Folder::new();
    let (old, new) = (vec![b'o'; 1_000_000], vec![b'n'; 1_000_000]);
    folder.write(&old, 60);
    let (server, _) = serve(&folder).await;
    let proxy = cut(server, vec![100_000]).await;
    let response = client().oneshot(get(proxy)).await.unwrap();
    folder.write(&new, 30);
    let mut body = response.into_body();
    let mut delivered = 0;
    let error = loop {
        match body.frame().await.expect("an error") {
            Ok(frame) => {
                let data = frame.into_data().unwrap();
                assert!(data.iter().all(|byte| *byte == b'o'));
                delivered += data.len() as u64;
            }
            Err(error) => break error,
        }
    };
    let error = error.downcast::<ResumeError>().unwrap();
    assert_eq!(error.unresumable(), Some(Unresumable::Changed));
    assert_eq!(
        (error.delivered(), error.expected()),
        (delivered, 1_000_000)
    );
}

#[tokio::test]
async fn a_part_that_the_caller_asks_for_comes_whole() {
    let folder = Folder::new();
    let file = pattern(1_000_000);
    folder.write(&file, 60);
    let (server, ranges) = serve(&folder).await;
    let proxy = cut(server, vec![100_000]).await;
    let mut request = get(proxy);
    let range = "bytes=-500000".parse().unwrap();
    request.headers_mut().insert("range", range);
    let response = client().oneshot(request).await.unwrap();
    assert_eq!(
        response.headers()["content-range"],
        "bytes 500000-999999/1000000"
    );
    let body = response.into_body().collect().await.unwrap();
    assert!(body.to_bytes() == file[500_000..], "the file differs");
    assert_eq!(ranges.lock().unwrap().len(), 2);
}

/// The one length that the caller is told is right, although it comes in several answers.
#[tokio::test]
async fn a_server_that_passes_a_body_on_passes_all_of_it_on() {
    let folder = Folder::new();
    let file = pattern(1_000_000);
    folder.write(&file, 60);
    let (server, ranges) = serve(&folder).await;
    let proxy = cut(server, vec![100_000, 400_000]).await;
    let pass = move |_: Request<axum::body::Body>| async move {
        let response = client().oneshot(get(proxy)).await;
        response.unwrap().map(axum::body::Body::new)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(pass);
    tokio::spawn(async { axum::serve(listener, router).await });
    let plain = Client::builder(TokioExecutor::new()).build_http::<Nothing>();
    let response = plain.request(get(address)).await.unwrap();
    assert_eq!(response.headers()["content-length"], "1000000");
    let body = response.into_body().collect().await.unwrap();
    assert!(body.to_bytes() == file, "the file differs");
    assert_eq!(ranges.lock().unwrap().len(), 3);
}

/// Its errors of bodies say `is_body`, as those of a request's body do.
#[cfg(feature = "reqwest")]
#[tokio::test]
async fn a_body_of_reqwests_is_resumed() {
    let folder = Folder::new();
    let file = pattern(1_000_000);
    folder.write(&file, 60);
    let (server, ranges) = serve(&folder).await;
    let proxy = cut(server, vec![100_000, 400_000]).await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .unwrap();
    let send = move |request: Request<reqwest::Body>| {
        let client = client.clone();
        async move {
            let request = reqwest::Request::try_from(request)?;
            let response = client.execute(request).await?;
            Ok::<_, reqwest::Error>(Response::<reqwest::Body>::from(response))
        }
    };
    let service = ServiceBuilder::new().layer(resume()).service_fn(send);
    let request = get(proxy).map(|_| reqwest::Body::default());
    let response = service.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert!(body.to_bytes() == file, "the file differs");
    assert_eq!(ranges.lock().unwrap().len(), 3);
}

/// Each stream of a connection over HTTP/2 gives three bytes, and is reset.
#[cfg(feature = "http2")]
#[tokio::test]
async fn a_stream_that_is_reset_is_resumed_on_the_same_connection() {
    use hyper_util::client::legacy::connect::HttpConnector;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicU32::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(reset_each(stream));
        }
    });
    let client: Client<HttpConnector, Nothing> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let service = ServiceBuilder::new().layer(resume()).service(client);
    let mut request = get(address);
    *request.version_mut() = http::Version::HTTP_2;
    let response = service.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "0123456789");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[cfg(feature = "http2")]
async fn reset_each(stream: tokio::net::TcpStream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let range = request.headers().get("range");
        let start = range.map_or(0, |range| {
            let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
            range.split_once('-').unwrap().0.parse().unwrap()
        });
        let end = (start + 3).min(10);
        let response = Response::builder().header("etag", "\"v1\"");
        let response = match start {
            0 => response.header("content-length", 10),
            _ => response
                .status(206)
                .header("content-range", format!("bytes {start}-9/10")),
        };
        let mut body = respond
            .send_response(response.body(()).unwrap(), false)
            .unwrap();
        let data = Bytes::from_static(&b"0123456789"[start..end]);
        body.send_data(data, end == 10).unwrap();
        if end < 10 {
            tokio::spawn(async move {
                // Once the data is on its way.
                body.reserve_capacity(1);
                let _ = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                body.send_reset(h2::Reason::INTERNAL_ERROR);
            });
        }
    }
}
