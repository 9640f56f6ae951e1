//! gRPC's retries in stacks with tonic's other layers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::step::Step;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::tokio_stream;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::{InterceptedService, InterceptorLayer};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tower::{Layer as _, ServiceBuilder};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http_retry::classify::Class;
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{Attempt, Backoff, ReplayBody, RetryLayer, RetryOverride};

use crate::support::calls::{Layer, exact, failed, got, greeted, millis};
use crate::support::greeter::{
    Greeter, GreeterClient, HelloReply, HelloRequest, Retrying, Turn, hello, retrying, unavailable,
};

#[tokio::test(start_paused = true)]
async fn an_interceptor_above_sees_each_call_once() {
    let server = Greeter::start([unavailable(), unavailable(), Turn::Ok]).await;
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let interceptor = move |mut request: Request<()>| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let number = MetadataValue::from(number);
        request.metadata_mut().insert("x-number", number);
        Ok::<_, Status>(request)
    };
    let retrying = retrying(&exact(), server.channel());
    let mut client = GreeterClient::new(InterceptedService::new(retrying, interceptor));
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    assert_eq!(server.headers("x-number"), vec![Some("0".to_owned()); 3]);
    assert_eq!(server.millis(), [0, 100, 300]);
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_below_sees_each_attempt() {
    let server = Greeter::start([unavailable(), unavailable(), Turn::Ok]).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let numbers = seen.clone();
    let interceptor = move |mut request: Request<()>| {
        let number = request.extensions().get().map_or(1, Attempt::number);
        numbers.lock().unwrap().push(number);
        let token = format!("token {number}").parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        Ok::<_, Status>(request)
    };
    let stack = ServiceBuilder::new()
        .layer(exact().mark_attempts())
        .layer(InterceptorLayer::new(interceptor))
        .layer(MapRequestBodyLayer::new(Body::new))
        .service(server.channel());
    let mut client = GreeterClient::new(stack);
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    let tokens = ["token 1", "token 2", "token 3"].map(|token| Some(token.to_owned()));
    assert_eq!(server.headers("authorization"), tokens);
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_status_of_an_interceptor_below_is_as_a_servers() {
    for (code, expected, times) in [
        (Code::Unavailable, greeted(), vec![300]),
        (Code::Unauthenticated, failed(Code::Unauthenticated), vec![]),
    ] {
        let server = Greeter::start([Turn::Ok]).await;
        let sent = Arc::new(AtomicUsize::new(0));
        let refuse = move |request: Request<()>| match sent.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Err(Status::new(code, "by the plan")),
            _ => Ok(request),
        };
        let channel = InterceptedService::new(server.channel(), refuse);
        let convert = MapRequestBodyLayer::new(Body::new);
        let stack = exact().layer(convert.layer(channel));
        let mut client = GreeterClient::new(stack);
        assert_eq!(got(client.say_hello(hello("Ada")).await), expected);
        assert_eq!(server.millis(), times);
    }
}

#[tokio::test(start_paused = true)]
async fn compressed_messages_are_sent_again_as_they_were() {
    let server = Greeter::start([unavailable(), Turn::Ok]).await;
    let mut client = server.client(&exact()).gzip();
    let name = "Ada ".repeat(1_000);
    let reply = client.say_hello(hello(&*name)).await.unwrap();
    let metadata = reply.metadata().clone();
    assert_eq!(metadata.get("grpc-encoding").unwrap(), "gzip");
    assert_eq!(reply.into_inner().message, format!("Hello, {name}!"));
    assert_eq!(server.messages(), [[&*name]; 2]);
    let gzip = vec![Some("gzip".to_owned()); 2];
    assert_eq!(server.headers("grpc-encoding"), gzip);
}

#[tokio::test(start_paused = true)]
async fn compressed_streams_are_sent_again_as_they_were() {
    let early = Turn::StatusAfter(1, Status::unavailable("too early"));
    let server = Greeter::start([early, Turn::Ok]).await;
    let names = ["Ada ".repeat(1_000), "Grace ".repeat(1_000)];
    let messages = tokio_stream::iter(names.clone().map(hello));
    let reply = server.client(&exact()).gzip().greet_all(messages).await;
    assert_eq!(got(reply), Ok(format!("Hello, {}!", names.join(", "))));
    assert_eq!(server.messages(), [&names[..1], &names[..]]);
}

#[tokio::test(start_paused = true)]
async fn tonics_own_client_takes_the_layered_channel() {
    let server = Greeter::start([unavailable(), Turn::Ok]).await;
    let mut grpc = Grpc::new(retrying(&exact(), server.channel()));
    grpc.ready().await.unwrap();
    let path = "/hello.Greeter/SayHello".parse().unwrap();
    let codec = ProstCodec::<HelloRequest, HelloReply>::default();
    let reply = grpc.unary(Request::new(hello("Ada")), path, codec).await;
    assert_eq!(got(reply), greeted());
    assert_eq!(server.millis(), [0, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_of_several_endpoints_takes_the_layer() {
    let server = Greeter::start([unavailable(), Turn::Ok]).await;
    let endpoint = Endpoint::from_shared(server.uri()).unwrap();
    let channel = Channel::balance_list([endpoint.clone(), endpoint].into_iter());
    let mut client = GreeterClient::new(retrying(&exact(), channel));
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    assert_eq!(server.millis(), [0, 100]);
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_client_call_at_the_same_time() {
    let server = Greeter::start([unavailable(), unavailable(), Turn::Ok]).await;
    let client = server.client(&exact());
    let call = |name| {
        let mut client = client.clone();
        async move { got(client.say_hello(hello(name)).await) }
    };
    let (ada, grace) = tokio::join!(call("Ada"), call("Grace"));
    assert_eq!((ada, grace), (greeted(), Ok("Hello, Grace!".to_owned())));
    assert_eq!(server.millis(), [0, 0, 100, 100]);
}

#[tokio::test(start_paused = true)]
async fn one_call_can_say_otherwise() {
    let cases = [
        (RetryOverride::new().max_retries(0), vec![0]),
        (
            RetryOverride::new()
                .backoff(Backoff::fixed(millis(7)).jitter(tower_http_retry::Jitter::None)),
            vec![0, 7, 14, 21, 28],
        ),
        (RetryOverride::new().window(millis(301)), vec![0, 100, 300]),
    ];
    for (said, times) in cases {
        let server = Greeter::start([unavailable()]).await;
        let mut request = Request::new(hello("Ada"));
        request.extensions_mut().insert(said);
        let outcome = server.client(&exact()).say_hello(request).await;
        assert_eq!(
            (got(outcome), server.millis()),
            (failed(Code::Unavailable), times)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_step_of_a_call_is_told() {
    let server = Greeter::start([unavailable(), Turn::Ok]).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = told.clone();
    let layer = exact().on_event(move |event| {
        let class = event.class();
        hear.lock()
            .unwrap()
            .push((event.path().to_owned(), class, Step::from(event.kind())));
    });
    server.client(&layer).say_hello(hello("Ada")).await.unwrap();
    let (after, reason) = (millis(100), WaitReason::Backoff);
    let steps = [
        (None, Step::Sent),
        (Some(Class::Transient), Step::Retry { after, reason }),
        (None, Step::Sent),
        (Some(Class::Success), Step::Stop(StopReason::Success)),
    ];
    let path = "/hello.Greeter/SayHello".to_owned();
    let steps = steps.map(|(class, step)| (path.clone(), class, step));
    assert_eq!(*told.lock().unwrap(), steps);
}

fn is_client<T>(_: GreeterClient<T>) -> bool
where
    T: GrpcService<Body> + Clone + Send + Sync + 'static,
    T::Future: Send,
{
    true
}

#[tokio::test]
async fn a_channel_with_tls_takes_the_layer() {
    let endpoint = Endpoint::from_static("https://127.0.0.1:1");
    let endpoint = endpoint.tls_config(ClientTlsConfig::new()).unwrap();
    let client: GreeterClient<Retrying<ByGrpcStatus>> =
        GreeterClient::new(retrying(&RetryLayer::grpc(), endpoint.connect_lazy()));
    assert!(is_client(client));
}

/// A client of one's own around the layered channel, whose type is not named.
fn with_retries(
    layer: &Layer,
    channel: Channel,
) -> impl GrpcService<Body, Error: Into<tonic::codegen::StdError>, ResponseBody = Body> + Clone + use<>
{
    let convert = MapRequestBodyLayer::new(Body::new::<ReplayBody<Body>>);
    layer.layer(convert.layer(channel))
}

#[tokio::test(start_paused = true)]
async fn the_type_of_the_stack_need_not_be_named() {
    let server = Greeter::start([unavailable(), Turn::Ok]).await;
    let mut client = GreeterClient::new(with_retries(&exact(), server.channel()));
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
}
