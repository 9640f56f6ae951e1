//! `hello.Greeter`, as tonic-prost-build would generate it, without the settings that are not used
//! here. A real project generates it from this definition:
//!
//! ```proto
//! syntax = "proto3";
//! package hello;
//!
//! service Greeter {
//!   rpc SayHello (HelloRequest) returns (HelloReply);
//! }
//! message HelloRequest {
//!   string name = 1;
//! }
//! message HelloReply {
//!   string message = 1;
//! }
//! ```

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HelloRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HelloReply {
    #[prost(string, tag = "1")]
    pub(crate) message: String,
}

pub(crate) mod greeter_client {
    use tonic::codegen::*;

    #[derive(Clone, Debug)]
    pub(crate) struct GreeterClient<T> {
        inner: tonic::client::Grpc<T>,
    }

    impl<T> GreeterClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + Send,
    {
        pub(crate) fn new(inner: T) -> Self {
            let inner = tonic::client::Grpc::new(inner);
            Self { inner }
        }

        pub(crate) async fn say_hello(
            &mut self,
            request: impl tonic::IntoRequest<super::HelloRequest>,
        ) -> Result<tonic::Response<super::HelloReply>, tonic::Status> {
            self.inner.ready().await.map_err(|error| {
                tonic::Status::unknown(format!("Service was not ready: {}", error.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static("/hello.Greeter/SayHello");
            let mut request = request.into_request();
            let method = GrpcMethod::new("hello.Greeter", "SayHello");
            request.extensions_mut().insert(method);
            self.inner.unary(request, path, codec).await
        }
    }
}

pub(crate) mod greeter_server {
    use std::convert::Infallible;

    use tonic::codegen::*;

    #[async_trait]
    pub(crate) trait Greeter: Send + Sync + 'static {
        async fn say_hello(
            &self,
            request: tonic::Request<super::HelloRequest>,
        ) -> Result<tonic::Response<super::HelloReply>, tonic::Status>;
    }

    #[derive(Debug)]
    pub(crate) struct GreeterServer<T> {
        inner: Arc<T>,
    }

    impl<T> GreeterServer<T> {
        pub(crate) fn new(inner: T) -> Self {
            let inner = Arc::new(inner);
            Self { inner }
        }
    }

    impl<T, B> Service<http::Request<B>> for GreeterServer<T>
    where
        T: Greeter,
        B: Body + Send + 'static,
        B::Error: Into<StdError> + Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<B>) -> Self::Future {
            match request.uri().path() {
                "/hello.Greeter/SayHello" => {
                    let method = SayHelloSvc(self.inner.clone());
                    Box::pin(async move {
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec);
                        Ok(grpc.unary(method, request).await)
                    })
                }
                _ => Box::pin(async { Ok(tonic::Status::unimplemented("").into_http()) }),
            }
        }
    }

    struct SayHelloSvc<T>(Arc<T>);

    impl<T: Greeter> tonic::server::UnaryService<super::HelloRequest> for SayHelloSvc<T> {
        type Response = super::HelloReply;
        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;

        fn call(&mut self, request: tonic::Request<super::HelloRequest>) -> Self::Future {
            let inner = Arc::clone(&self.0);
            Box::pin(async move { inner.say_hello(request).await })
        }
    }

    impl<T> Clone for GreeterServer<T> {
        fn clone(&self) -> Self {
            let inner = self.inner.clone();
            Self { inner }
        }
    }

    impl<T> tonic::server::NamedService for GreeterServer<T> {
        const NAME: &'static str = "hello.Greeter";
    }
}
