//! What things are called on the command line, in the tables and on the page.

use crate::quota::Manner;
use crate::simulation::Variant;

pub fn variant_name(variant: Variant) -> &'static str {
    match variant {
        Variant::NoRetry => "no-retry",
        Variant::Earning => "earning",
        Variant::Defaults => "defaults",
        Variant::WithoutBudget => "without-budget",
        Variant::Ratio => "ratio",
        Variant::Tps => "tps",
        Variant::Throttle => "throttle",
        Variant::Aws => "aws",
    }
}

pub fn variant_summary(variant: Variant) -> &'static str {
    match variant {
        Variant::NoRetry => "each request is sent once",
        Variant::Earning => "the budget that a RetryLayer has unless told otherwise",
        Variant::Defaults => "RetryLayer::new() as it is: 5 retries, after 1 s, 2 s, 4 s, ..",
        Variant::WithoutBudget => "RetryLayer's without_budget()",
        Variant::Ratio => "Budget::ratio(0.2)",
        Variant::Tps => "tower::retry with its TpsBudget as it is",
        Variant::Throttle => "Budget::throttle(10, 0.1), gRPC's",
        Variant::Aws => "tower::retry with the token bucket of AWS's SDKs",
    }
}

pub fn manner_name(manner: Manner) -> &'static str {
    match manner {
        Manner::Earning => "earning",
        Manner::Cooldown => "earning+cooldown",
        Manner::HoldOnFirst429 => "hold-on-first-429",
    }
}

pub fn manner_summary(manner: Manner) -> &'static str {
    match manner {
        Manner::Earning => "a RetryLayer with two retries and its usual budget",
        Manner::Cooldown => "the same with cooldown(Cooldown::new())",
        Manner::HoldOnFirst429 => {
            "the same without a cooldown, on top of a service written by hand: after a 429 it holds all \
             requests until the time that the 429 asks for"
        }
    }
}

/// The one of that name, which is there.
pub fn by_name<'a, T>(all: &'a [T], name: &str, name_of: impl Fn(&T) -> &str) -> &'a T {
    let mut all = all.iter();
    all.find(|one| name_of(one) == name)
        .expect("clap lets only these names through")
}
