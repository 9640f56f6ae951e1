//! The JSON schemas of the settings.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::budget::BudgetConfig;
use super::cooldown::CooldownConfig;
use super::deadline_header::DeadlineHeaderConfig;
use super::retry::RetryConfig;
use crate::backoff::Backoff;
use crate::classify::ByStatus;
use crate::idempotency::Idempotency;
use crate::retry_after::RetryAfter;

mod field;
mod nouns;

use field::{
    Field, added_header, boolean, field, map, or_null, or_unlimited, time, whole, with_defaults,
    words,
};

impl JsonSchema for RetryConfig {
    fn schema_name() -> Cow<'static, str> {
        "RetryConfig".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = [parts(generator), limits(generator), marks(generator)].concat();
        with_defaults(
            map("The settings of a retry layer", fields),
            Self::default(),
        )
    }
}

fn parts(generator: &mut SchemaGenerator) -> Vec<Field> {
    let backoff = generator.subschema_for::<Backoff>();
    let after_refusal = or_null(backoff.clone());
    let classify = generator.subschema_for::<ByStatus>();
    let idempotency = generator.subschema_for::<Idempotency>();
    let budget = generator.subschema_for::<BudgetConfig>();
    let cooldown = or_null(generator.subschema_for::<CooldownConfig>());
    vec![
        field("backoff", "How long to wait before each retry", backoff),
        field(
            "backoff_after_refusal",
            "The back-off after a 429 or 503 that asks for no wait",
            after_refusal,
        ),
        field("classify", "Which outcomes are retried", classify),
        field("idempotency", "Which requests may be repeated", idempotency),
        field("budget", "The budget shared by all requests", budget),
        field(
            "cooldown",
            "How requests are held while a quota is used up",
            cooldown,
        ),
    ]
}

fn limits(generator: &mut SchemaGenerator) -> Vec<Field> {
    let retries = or_unlimited(whole(0, Some(u64::from(u32::MAX))));
    let window = or_unlimited(time());
    let timeout = or_null(or_unlimited(time()));
    let hints = generator.subschema_for::<RetryAfter>();
    let replayed = or_unlimited(whole(0, None));
    let drained = whole(0, None);
    vec![
        field(
            "max_retries",
            "The maximum number of retries of a request",
            retries,
        ),
        field(
            "window",
            "How long after the first attempt a retry may start",
            window,
        ),
        field(
            "attempt_timeout",
            "How long each attempt may take until the head of its response arrives",
            timeout,
        ),
        field("retry_after", "How Retry-After affects the wait", hints),
        field(
            "max_retry_after",
            "The longest wait that a server may ask for",
            or_unlimited(time()),
        ),
        field(
            "rate_limit_headers",
            "Whether rate-limit headers are read",
            boolean(),
        ),
        field(
            "max_replay_bytes",
            "How many bytes of a streamed request body are recorded",
            replayed,
        ),
        field(
            "max_drain_bytes",
            "How many bytes of a discarded response are read",
            drained,
        ),
    ]
}

fn marks(generator: &mut SchemaGenerator) -> Vec<Field> {
    let seed = or_null(whole(0, None));
    let deadline = generator.subschema_for::<DeadlineHeaderConfig>();
    vec![
        field(
            "retry_count_header",
            "The header with the number of retries",
            or_null(added_header()),
        ),
        field(
            "deadline_header",
            "The header with the time that is left",
            or_null(deadline),
        ),
        field("mark_attempts", "Whether each attempt is marked", boolean()),
        field("mark_responses", "Whether responses are marked", boolean()),
        field("jitter_seed", "The seed of the jitter", seed),
        #[cfg(feature = "metrics")]
        field(
            "metrics_by_authority",
            "Whether metrics have the label authority",
            boolean(),
        ),
    ]
}

impl JsonSchema for BudgetConfig {
    fn schema_name() -> Cow<'static, str> {
        "BudgetConfig".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let each = || {
            field(
                "per_authority",
                "The maximum number of upstreams with a separate budget",
                or_null(whole(1, None)),
            )
        };
        let ratio = json_schema!({ "type": "number", "minimum": 0, "maximum": 1_000 });
        let token_ratio = json_schema!({ "type": "number", "minimum": 0 });
        let of_kind = |kind: &'static str, description, fields: Vec<_>| {
            let required = fields
                .iter()
                .map(|(name, _)| *name)
                .filter(|name| *name != "per_authority");
            // A budget without a kind is an earning one.
            let kind_required = (kind != "earning").then_some("kind");
            let required: Vec<_> = kind_required.into_iter().chain(required).collect();
            let kind = field("kind", "The kind of budget", words(&[kind]));
            let mut schema = map(description, [vec![kind], fields].concat());
            schema.insert("required".to_owned(), Value::from(required));
            schema
        };
        json_schema!({ "anyOf": [
            of_kind("earning", "Earns from requests that are served", vec![each()]),
            of_kind("ratio", "Earns a part of a token from each request", vec![
                field("ratio", "What each request adds, in tokens", ratio),
                each(),
            ]),
            of_kind("throttle", "gRPC's retry throttling", vec![
                field("max_tokens", "The number of tokens that it holds", whole(1, Some(1_000))),
                field("token_ratio", "What each success adds, in tokens", token_ratio),
                each(),
            ]),
            of_kind("none", "No budget", Vec::new()),
        ] })
    }
}

impl JsonSchema for CooldownConfig {
    fn schema_name() -> Cow<'static, str> {
        "CooldownConfig".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let each = or_null(whole(1, None));
        let fields = vec![
            field(
                "max_hold",
                "The longest hold that a new request waits for",
                or_unlimited(time()),
            ),
            field(
                "max_waiting",
                "How many requests may wait at the same time",
                whole(0, None),
            ),
            field("longest", "How long responses can hold requests", time()),
            field(
                "per_authority",
                "The maximum number of upstreams with a separate state",
                each,
            ),
        ];
        with_defaults(
            map("How requests are held", fields),
            CooldownConfig::default(),
        )
    }
}

impl JsonSchema for DeadlineHeaderConfig {
    fn schema_name() -> Cow<'static, str> {
        "DeadlineHeaderConfig".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let unit = words(&["seconds", "milliseconds"]);
        let fields = vec![
            field("name", "The name of the header", added_header()),
            field("unit", "The unit of its number", unit),
        ];
        let mut schema = map("A header with the time that is left", fields);
        schema.insert("required".to_owned(), Value::from(vec!["name", "unit"]));
        schema
    }
}
