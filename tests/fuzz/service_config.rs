//! A gRPC service config: JSON of any shape, and calls by what comes of it.

use std::future::ready;

use arbitrary::Arbitrary;
use http::{Request, Response};
use http_body_util::Empty;
use serde_json::{Map, Value, json};
use tower_http_retry::RetryLayer;
use tower_http_retry::grpc::{ServiceConfig, ServiceConfigError};

use super::call::{Limits, call};
use super::hedging_policy::Hedging;
use super::input::with_input;
use super::service_policy::Policy;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Text(&'a str),
    Config {
        config: Config<'a>,
        code: u8,
        limits: Limits,
    },
}

#[derive(Debug, Arbitrary)]
struct Config<'a> {
    methods: Option<Vec<Method<'a>>>,
    throttling: Option<(Leaf<'a>, Leaf<'a>)>,
    more: Option<(Key, Json<'a>)>,
}

#[derive(Debug, Arbitrary)]
struct Method<'a> {
    names: Vec<(Option<Leaf<'a>>, Option<Leaf<'a>>)>,
    is_hedged: bool,
    attempts: Leaf<'a>,
    initial: Leaf<'a>,
    longest: Leaf<'a>,
    multiplier: Leaf<'a>,
    codes: Vec<Leaf<'a>>,
    more: Option<(Key, Json<'a>)>,
}

/// What is written where one value is asked for.
#[derive(Debug, Arbitrary)]
enum Leaf<'a> {
    Small(u8),
    Thousandths(u16),
    Seconds(u16, u16),
    Code(u8),
    Service(bool),
    Other(Json<'a>),
}

#[derive(Debug, Arbitrary)]
enum Json<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
    List(Vec<Json<'a>>),
    Object(Vec<(Key, Json<'a>)>),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Key {
    MethodConfig,
    Name,
    Service,
    Method,
    RetryPolicy,
    HedgingPolicy,
    MaxAttempts,
    InitialBackoff,
    MaxBackoff,
    BackoffMultiplier,
    RetryableStatusCodes,
    RetryThrottling,
    MaxTokens,
    TokenRatio,
    Timeout,
    HedgingDelay,
    NonFatalStatusCodes,
}

pub fn fuzz(data: &[u8]) {
    with_input(data, run);
}

fn run(input: &Input<'_>) {
    match input {
        Input::Text(text) => drop(parse(text)),
        Input::Config {
            config,
            code,
            limits,
        } => {
            let text = config.json().to_string();
            let parsed = parse(&text);
            // A value says the same as its text.
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let told = serde_json::from_value::<ServiceConfig>(value.clone());
            assert_eq!(parsed.as_ref().ok(), told.as_ref().ok());
            match parsed {
                Ok(config) => try_out(&config, &value, code % 17, limits),
                Err(error) => assert!(is_there(&value, error.field()), "{error}"),
            }
        }
    }
}

fn parse(text: &str) -> Result<ServiceConfig, ServiceConfigError> {
    let parsed = text.parse();
    if let Err(error) = &parsed {
        let (told, field) = (ServiceConfigError::to_string(error), error.field());
        assert!(
            told.starts_with(field) && told.len() > field.len(),
            "{told}"
        );
    }
    parsed
}

/// Whether there is a field of this name, or an object that could have it.
fn is_there(config: &Value, field: &str) -> bool {
    let path = field.replace(['.', '['], "/").replace(']', "");
    let (object, _) = path.rsplit_once('/').unwrap_or_default();
    let find = |path: &str| match path {
        "" => Some(config),
        path => config.pointer(&format!("/{path}")),
    };
    !path.is_empty() && (find(&path).is_some() || find(object).is_some_and(Value::is_object))
}

fn try_out(config: &ServiceConfig, json: &Value, code: u8, limits: &Limits) {
    for path in [
        "/hello.Greeter/SayHello",
        "/hello.Greeter/Other",
        "/other.Service/Call",
        "/",
        "/x",
    ] {
        // Clones share their tokens.
        assert_eq!(parse(&json.to_string()).as_ref(), Ok(config));
        let config = || parse(&json.to_string()).expect("a config");
        let layer = limits.set(RetryLayer::grpc()).service_config(config());
        let request =
            Request::post(format!("http://upstream.test{path}")).body(Empty::<bytes::Bytes>::new());
        let answer = |_, _| {
            let response = Response::builder().header("grpc-status", u16::from(code));
            ready(Ok(response.body(Empty::new()).unwrap()))
        };
        let ended = call(layer, request.unwrap(), answer);
        limits.check(&ended, u32::MAX - 1);
        Policy::of(json, path).check(&ended, code, limits);
        Hedging::of(json, path).check(&config, path, code);
    }
}

impl Config<'_> {
    fn json(&self) -> Value {
        let mut config = Map::new();
        if let Some(methods) = &self.methods {
            let methods = methods.iter().map(Method::json).collect();
            config.insert("methodConfig".into(), methods);
        }
        if let Some((tokens, ratio)) = &self.throttling {
            let throttling = json!({ "maxTokens": tokens.json(), "tokenRatio": ratio.json() });
            config.insert("retryThrottling".into(), throttling);
        }
        with(config, self.more.as_ref())
    }
}

impl Method<'_> {
    fn json(&self) -> Value {
        let name = |(service, method): &(Option<Leaf<'_>>, Option<Leaf<'_>>)| {
            let mut name = Map::new();
            let parts = [("service", service), ("method", method)];
            for (part, leaf) in parts
                .iter()
                .filter_map(|(part, leaf)| Some((part, leaf.as_ref()?)))
            {
                name.insert((*part).into(), leaf.json());
            }
            Value::Object(name)
        };
        let codes = self.codes.iter().map(Leaf::json).collect::<Value>();
        let attempts = self.attempts.json();
        let (kind, policy) = match self.is_hedged {
            true => {
                let mut policy = json!({ "maxAttempts": attempts, "nonFatalStatusCodes": codes });
                if let Some(delay) = self.longest.seconds() {
                    policy["hedgingDelay"] = delay;
                }
                ("hedgingPolicy", policy)
            }
            false => {
                let policy = json!({
                    "maxAttempts": attempts,
                    "initialBackoff": self.initial.json(),
                    "maxBackoff": self.longest.json(),
                    "backoffMultiplier": self.multiplier.json(),
                    "retryableStatusCodes": codes,
                });
                ("retryPolicy", policy)
            }
        };
        let mut method = Map::new();
        method.insert("name".into(), self.names.iter().map(name).collect());
        method.insert(kind.into(), policy);
        with(method, self.more.as_ref())
    }
}

/// With one more field, or another value of one.
fn with(mut object: Map<String, Value>, more: Option<&(Key, Json<'_>)>) -> Value {
    if let Some((key, json)) = more {
        object.insert(key.name(), json.value());
    }
    Value::Object(object)
}

impl Leaf<'_> {
    /// A small number stands for none.
    fn seconds(&self) -> Option<Value> {
        match self {
            Self::Small(_) => None,
            _ => Some(self.json()),
        }
    }

    fn json(&self) -> Value {
        let codes = ["UNAVAILABLE", "ABORTED", "unavailable", "OK", "NOT_A_CODE"];
        match self {
            Self::Small(number) => json!(number),
            Self::Thousandths(number) => json!(f64::from(*number) / 1_000.0),
            Self::Seconds(seconds, millis) => json!(format!("{seconds}.{:03}s", millis % 1_000)),
            Self::Code(code) => json!(codes[usize::from(*code) % codes.len()]),
            Self::Service(true) => json!("hello.Greeter"),
            Self::Service(false) => json!("SayHello"),
            Self::Other(json) => json.value(),
        }
    }
}

impl Json<'_> {
    fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => json!(bool),
            Self::Integer(number) => json!(number),
            Self::Unsigned(number) => json!(number),
            Self::Float(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::List(list) => list.iter().map(Json::value).collect(),
            Self::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(key, value)| (key.name(), value.value()));
                Value::Object(fields.collect())
            }
        }
    }
}

impl Key {
    /// As its variant is written, but for the first letter.
    fn name(self) -> String {
        let name = format!("{self:?}");
        name[..1].to_lowercase() + &name[1..]
    }
}
