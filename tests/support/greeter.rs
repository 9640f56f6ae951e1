// `hello.Greeter`: messages, a client and a service like those of generated code, and a server that
// answers each call as planned and records it. The guide's examples include this file, which therefore
// has no `//!`.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codegen::tokio_stream::{self, Stream, StreamExt};
use tonic::codegen::{BoxFuture, BoxStream, Bytes, Context, Poll, Service, StdError};
use tonic::metadata::MetadataValue;
use tonic::server::{ClientStreamingService, NamedService, ServerStreamingService, UnaryService};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, IntoRequest, IntoStreamingRequest, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Layer, service_fn};
use tower_http::map_request_body::{MapRequestBody, MapRequestBodyLayer};
use tower_http_retry::classify::Classify;
use tower_http_retry::{ReplayBody, Retry, RetryLayer};

use tonic::codec::CompressionEncoding::Gzip;

const SAY_HELLO: &str = "/hello.Greeter/SayHello";
const GREET_ALL: &str = "/hello.Greeter/GreetAll";
const GREET_OFTEN: &str = "/hello.Greeter/GreetOften";

#[derive(Clone, PartialEq, prost::Message)]
pub struct HelloRequest {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HelloReply {
    #[prost(string, tag = "1")]
    pub message: String,
}

pub fn hello(name: impl Into<String>) -> HelloRequest {
    HelloRequest { name: name.into() }
}

/// What the server does with one call.
#[derive(Clone, Debug)]
pub enum Turn {
    Ok,
    /// Responds immediately with this status as Trailers-Only.
    Status(Status),
    /// Reads this many messages of the client's stream, and responds with this status.
    StatusAfter(usize, Status),
    /// Sends its headers, and then this status.
    HeadersThenStatus(Status),
    /// Sends its headers, a message, and then this status.
    MessageThenStatus(Status),
    /// Responds after this delay.
    After(Duration, Box<Turn>),
    Never,
}

pub fn status(code: Code) -> Turn {
    Turn::Status(Status::new(code, "by the plan"))
}

pub fn unavailable() -> Turn {
    status(Code::Unavailable)
}

/// Returns a status with `grpc-retry-pushback-ms`.
pub fn pushback(code: Code, value: &str) -> Turn {
    let mut status = Status::new(code, "by the plan");
    let value = MetadataValue::try_from(value).unwrap();
    status
        .metadata_mut()
        .insert("grpc-retry-pushback-ms", value);
    Turn::Status(status)
}

pub fn after(delay: Duration, turn: Turn) -> Turn {
    Turn::After(delay, Box::new(turn))
}

/// A call that the server received.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: Duration,
    pub path: String,
    pub metadata: HeaderMap,
    /// The messages that were read.
    pub messages: Vec<String>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        Some(self.metadata.get(name)?.to_str().unwrap())
    }
}

/// A running server.
#[derive(Clone)]
pub struct Greeter {
    shared: Arc<Shared>,
    wire: Wire,
}

#[derive(Clone)]
enum Wire {
    Tcp(SocketAddr),
    Memory(mpsc::UnboundedSender<io::Result<DuplexStream>>),
}

struct Shared {
    start: Instant,
    plan: Vec<Turn>,
    received: Mutex<Vec<Received>>,
    heard: Notify,
    cancelled: Notify,
}

impl Greeter {
    /// Starts a server on 127.0.0.1. It treats calls as planned, and further ones by the last entry of the
    /// plan.
    ///
    /// While a timer runs, the paused clock may advance before data arrives over the connection.
    pub async fn start(plan: impl Into<Vec<Turn>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::on(listener, plan)
    }

    pub fn on(listener: TcpListener, plan: impl Into<Vec<Turn>>) -> Self {
        let wire = Wire::Tcp(listener.local_addr().unwrap());
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let shared = Shared::new(plan.into());
        tokio::spawn(shared.router().serve_with_incoming(incoming));
        Self { shared, wire }
    }

    /// Starts a server with connections in memory. The paused clock does not advance before their data
    /// arrives.
    pub fn in_memory(plan: impl Into<Vec<Turn>>) -> Self {
        let (sender, connections) = mpsc::unbounded_channel();
        let wire = Wire::Memory(sender);
        let incoming = UnboundedReceiverStream::new(connections);
        let shared = Shared::new(plan.into());
        tokio::spawn(shared.router().serve_with_incoming(incoming));
        Self { shared, wire }
    }

    pub fn uri(&self) -> String {
        match &self.wire {
            Wire::Tcp(address) => format!("http://{address}"),
            Wire::Memory(_) => "http://greeter.test".to_owned(),
        }
    }

    /// Returns a channel that connects with the first call.
    pub fn channel(&self) -> Channel {
        self.channel_with(|endpoint| endpoint)
    }

    pub fn channel_with(&self, set: impl FnOnce(Endpoint) -> Endpoint) -> Channel {
        let endpoint = set(Endpoint::from_shared(self.uri()).unwrap());
        match &self.wire {
            Wire::Tcp(_) => endpoint.connect_lazy(),
            Wire::Memory(sender) => {
                let sender = sender.clone();
                let connect = move |_: Uri| {
                    let (client, server) = tokio::io::duplex(64 * 1024);
                    let is_served = sender.send(Ok(server)).is_ok();
                    assert!(is_served, "the server is gone");
                    async { Ok::<_, Infallible>(TokioIo::new(client)) }
                };
                endpoint.connect_with_connector_lazy(service_fn(connect))
            }
        }
    }

    pub fn client<C: Classify>(&self, layer: &RetryLayer<C>) -> GreeterClient<Retrying<C>> {
        GreeterClient::new(retrying(layer, self.channel()))
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.shared.received.lock().unwrap().len()
    }

    /// Returns when each call arrived, since the start of the server.
    pub fn times(&self) -> Vec<Duration> {
        self.received().iter().map(|call| call.at).collect()
    }

    /// Returns when each call arrived, in milliseconds. Panics if these are not whole milliseconds.
    pub fn millis(&self) -> Vec<u128> {
        let whole = |at: Duration| {
            assert_eq!(at.subsec_nanos() % 1_000_000, 0, "a call came at {at:?}");
            at.as_millis()
        };
        self.times().into_iter().map(whole).collect()
    }

    /// Returns the value of a header for each call.
    pub fn headers(&self, name: &str) -> Vec<Option<String>> {
        let received = self.received();
        let header = |call: &Received| Some(call.header(name)?.to_owned());
        received.iter().map(header).collect()
    }

    /// Returns the messages of each call.
    pub fn messages(&self) -> Vec<Vec<String>> {
        let received = self.received();
        received.into_iter().map(|call| call.messages).collect()
    }

    /// Waits until a call with [`Turn::Never`] is cancelled.
    pub async fn cancelled(&self) {
        self.shared.cancelled.notified().await;
    }

    /// Waits for the next call. Returns immediately if one was received since the last wait.
    pub async fn heard(&self) {
        self.shared.heard.notified().await;
    }
}

/// Returns a channel that connects with the first call.
pub fn channel_to(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    endpoint.unwrap().connect_lazy()
}

/// The service for a generated client, as a type that can be named.
pub type Retrying<C> = Retry<MapRequestBody<Channel, fn(ReplayBody<Body>) -> Body>, C>;

pub fn retrying<C>(layer: &RetryLayer<C>, channel: Channel) -> Retrying<C> {
    let convert: fn(ReplayBody<Body>) -> Body = Body::new;
    layer.layer(MapRequestBodyLayer::new(convert).layer(channel))
}

/// A client like that of generated code.
#[derive(Clone, Debug)]
pub struct GreeterClient<T> {
    inner: tonic::client::Grpc<T>,
}

impl<T> GreeterClient<T>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    pub fn new(inner: T) -> Self {
        let inner = tonic::client::Grpc::new(inner);
        Self { inner }
    }

    pub fn with_interceptor<F>(inner: T, interceptor: F) -> GreeterClient<InterceptedService<T, F>>
    where
        F: Interceptor,
        T::ResponseBody: Default,
        T: Service<
                http::Request<Body>,
                Response = http::Response<<T as GrpcService<Body>>::ResponseBody>,
            >,
        <T as Service<http::Request<Body>>>::Error: Into<StdError> + Send + Sync,
    {
        GreeterClient::new(InterceptedService::new(inner, interceptor))
    }

    pub fn gzip(mut self) -> Self {
        self.inner = self.inner.send_compressed(Gzip).accept_compressed(Gzip);
        self
    }

    pub async fn say_hello(
        &mut self,
        request: impl IntoRequest<HelloRequest>,
    ) -> Result<Response<HelloReply>, Status> {
        self.ready().await?;
        let (path, codec) = (SAY_HELLO.parse().unwrap(), ProstCodec::default());
        self.inner.unary(request.into_request(), path, codec).await
    }

    pub async fn greet_all(
        &mut self,
        request: impl IntoStreamingRequest<Message = HelloRequest>,
    ) -> Result<Response<HelloReply>, Status> {
        self.ready().await?;
        let (path, codec) = (GREET_ALL.parse().unwrap(), ProstCodec::default());
        let request = request.into_streaming_request();
        self.inner.client_streaming(request, path, codec).await
    }

    pub async fn greet_often(
        &mut self,
        request: impl IntoRequest<HelloRequest>,
    ) -> Result<Response<Streaming<HelloReply>>, Status> {
        self.ready().await?;
        let (path, codec) = (GREET_OFTEN.parse().unwrap(), ProstCodec::default());
        let request = request.into_request();
        self.inner.server_streaming(request, path, codec).await
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let ready = self.inner.ready().await;
        ready.map_err(|error| Status::unknown(format!("not ready: {}", error.into())))
    }
}

#[derive(Clone)]
struct GreeterServer(Arc<Shared>);

impl NamedService for GreeterServer {
    const NAME: &'static str = "hello.Greeter";
}

impl<B> Service<http::Request<B>> for GreeterServer
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let call = self.0.hear(&request);
        let grpc = tonic::server::Grpc::new(ProstCodec::default());
        let mut grpc = grpc.accept_compressed(Gzip).send_compressed(Gzip);
        Box::pin(async move {
            Ok(match request.uri().path() {
                SAY_HELLO => grpc.unary(call, request).await,
                GREET_ALL => grpc.client_streaming(call, request).await,
                GREET_OFTEN => grpc.server_streaming(call, request).await,
                path => panic!("a call of {path}"),
            })
        })
    }
}

impl Shared {
    fn new(plan: Vec<Turn>) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            plan,
            received: Mutex::default(),
            heard: Notify::new(),
            cancelled: Notify::new(),
        })
    }

    fn router(self: &Arc<Self>) -> Router {
        tonic::transport::Server::builder().add_service(GreeterServer(self.clone()))
    }

    fn hear<B>(self: &Arc<Self>, request: &http::Request<B>) -> Call {
        let mut received = self.received.lock().unwrap();
        let index = received.len();
        received.push(Received {
            at: self.start.elapsed(),
            path: request.uri().path().to_owned(),
            metadata: request.headers().clone(),
            messages: Vec::new(),
        });
        self.heard.notify_one();
        let turn = self.plan[index.min(self.plan.len() - 1)].clone();
        let shared = self.clone();
        Call {
            shared,
            index,
            turn,
        }
    }
}

/// One call of any of the methods.
#[derive(Clone)]
struct Call {
    shared: Arc<Shared>,
    index: usize,
    turn: Turn,
}

impl Call {
    fn read(&self, message: HelloRequest) {
        let mut received = self.shared.received.lock().unwrap();
        received[self.index].messages.push(message.name);
    }

    /// Returns the messages of the response and the status that ends it, or the status if there are none.
    async fn turn(self) -> Result<Vec<Result<HelloReply, Status>>, Status> {
        let mut turn = self.turn;
        while let Turn::After(delay, next) = turn {
            sleep(delay).await;
            turn = *next;
        }
        let names = self.shared.received.lock().unwrap()[self.index]
            .messages
            .join(", ");
        let reply = HelloReply {
            message: format!("Hello, {names}!"),
        };
        match turn {
            Turn::Ok => Ok(vec![Ok(reply)]),
            Turn::Status(status) | Turn::StatusAfter(_, status) => Err(status),
            Turn::HeadersThenStatus(status) => Ok(vec![Err(status)]),
            Turn::MessageThenStatus(status) => Ok(vec![Ok(reply), Err(status)]),
            Turn::After(..) | Turn::Never => {
                let _tells = Cancelled(&self.shared.cancelled);
                std::future::pending().await
            }
        }
    }

    async fn answer(self) -> Result<Response<HelloReply>, Status> {
        let mut replies = self.turn().await?;
        replies.remove(0).map(Response::new)
    }

    async fn read_all(self, messages: impl Stream<Item = Result<HelloRequest, Status>>) -> Self {
        let most = match self.turn {
            Turn::StatusAfter(most, _) => most,
            _ => usize::MAX,
        };
        let mut messages = std::pin::pin!(messages.take(most));
        while let Some(message) = messages.next().await {
            // If the client cancels the call, the response is ignored.
            let Ok(message) = message else { break };
            self.read(message);
        }
        self
    }
}

/// Notifies when it is dropped.
struct Cancelled<'a>(&'a Notify);

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl UnaryService<HelloRequest> for Call {
    type Response = HelloReply;
    type Future = BoxFuture<Response<HelloReply>, Status>;

    fn call(&mut self, request: Request<HelloRequest>) -> Self::Future {
        self.read(request.into_inner());
        Box::pin(self.clone().answer())
    }
}

impl ClientStreamingService<HelloRequest> for Call {
    type Response = HelloReply;
    type Future = BoxFuture<Response<HelloReply>, Status>;

    fn call(&mut self, request: Request<Streaming<HelloRequest>>) -> Self::Future {
        let call = self.clone();
        Box::pin(async move { call.read_all(request.into_inner()).await.answer().await })
    }
}

impl ServerStreamingService<HelloRequest> for Call {
    type Response = HelloReply;
    type ResponseStream = BoxStream<HelloReply>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<HelloRequest>) -> Self::Future {
        self.read(request.into_inner());
        let call = self.clone();
        Box::pin(async move {
            let replies = tokio_stream::iter(call.turn().await?);
            Ok(Response::new(Box::pin(replies) as Self::ResponseStream))
        })
    }
}
