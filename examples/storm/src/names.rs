//! Names and descriptions on the command line, in the tables and on the page.

use crate::hedge::Hedging;
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
        Variant::Earning => "RetryLayer with its default budget, Budget::earning",
        Variant::Defaults => {
            "RetryLayer::new(): five retries, after 1 s, 2 s, 4 s and so on, with the same budget"
        }
        Variant::WithoutBudget => "RetryLayer without a budget",
        Variant::Ratio => "RetryLayer with Budget::ratio(0.2)",
        Variant::Tps => "tower::retry with its default TpsBudget, which is refilled by time",
        Variant::Throttle => "RetryLayer with Budget::throttle(10, 0.1), as gRPC has it",
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
        Manner::Earning => "RetryLayer with two retries and its default budget",
        Manner::Cooldown => "the same, with cooldown(Cooldown::new())",
        Manner::HoldOnFirst429 => {
            "earning above a hand-written service, which holds all requests after a 429 for as long as \
             the 429 says"
        }
    }
}

pub fn hedging_name(hedging: Hedging) -> &'static str {
    match hedging {
        Hedging::Never => "none",
        Hedging::Fixed => "fixed",
        Hedging::Tower => "tower",
        Hedging::Finagle => "finagle",
        Hedging::Failsafe => "failsafe-go",
        Hedging::Bhope => "bhope",
        Hedging::Layer => "layer",
        Hedging::Defaults => "layer-defaults",
    }
}

pub fn hedging_summary(hedging: Hedging) -> &'static str {
    match hedging {
        Hedging::Never => "each request is sent once",
        Hedging::Fixed => "after the p95 of normal operation, without a budget",
        Hedging::Tower => "tower::hedge::Hedge: after the p90 of the last 10 s, without a budget",
        Hedging::Finagle => {
            "the rules of Finagle's BackupRequestFilter with maxExtraLoad 0.1: after the p90 of the \
             last 30 s, with a RetryBudget of a tenth of the requests and ten per second"
        }
        Hedging::Failsafe => {
            "the rules of failsafe-go's hedge policy: after the p90 of the last 10 to 20 s, with a \
             budget of a fifth of the attempts in progress, and at least three"
        }
        Hedging::Bhope => {
            "the rules of github.com/bhope/hedge: after the p90 of the last 30 to 60 s, with a token \
             bucket that is refilled by time, with a tenth of the normal requests"
        }
        Hedging::Layer => "HedgeLayer::new().extra_load(0.1)",
        Hedging::Defaults => "HedgeLayer::new(), which adds at most half as much",
    }
}

/// Returns the item with a name. Panics if there is none.
pub fn by_name<'a, T>(all: &'a [T], name: &str, name_of: impl Fn(&T) -> &str) -> &'a T {
    let mut all = all.iter();
    all.find(|one| name_of(one) == name)
        .expect("clap lets only these names through")
}
