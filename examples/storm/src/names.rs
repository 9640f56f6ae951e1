//! What things are called on the command line, in the tables and on the page.

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

pub fn hedging_name(hedging: Hedging) -> &'static str {
    match hedging {
        Hedging::Never => "none",
        Hedging::Fixed => "fixed",
        Hedging::Tower => "tower",
        Hedging::Finagle => "finagle",
        Hedging::Failsafe => "failsafe-go",
        Hedging::Bhope => "bhope",
        Hedging::Layer => "layer",
        Hedging::LayerWithoutControl => "layer-no-control",
        Hedging::Defaults => "layer-defaults",
    }
}

pub fn hedging_summary(hedging: Hedging) -> &'static str {
    match hedging {
        Hedging::Never => "each request is sent once",
        Hedging::Fixed => "after the p95 of a usual day, without a budget",
        Hedging::Tower => {
            "tower::hedge::Hedge itself, after the p90 of the last 10 s; it has no budget"
        }
        Hedging::Finagle => {
            "the rules of Finagle's BackupRequestFilter with maxExtraLoad 0.1: after the p90 of the last              30 s, and a RetryBudget of a tenth of the requests and ten a second"
        }
        Hedging::Failsafe => {
            "the rules of failsafe-go's hedge policy after the p90 of the last 10 to 20 s, and of its              budget: at most a fifth of the attempts under way, but three always"
        }
        Hedging::Bhope => {
            "the rules of github.com/bhope/hedge: after the p90 of the last 30 to 60 s, and a token bucket              that is filled by time, by a tenth of the usual requests"
        }
        Hedging::Layer => "HedgeLayer::new().extra_load(0.1)",
        Hedging::LayerWithoutControl => "the same with control(0.0): no hedge is withheld",
        Hedging::Defaults => "HedgeLayer::new() as it is, which adds half as much at most",
    }
}

/// The one of that name, which is there.
pub fn by_name<'a, T>(all: &'a [T], name: &str, name_of: impl Fn(&T) -> &str) -> &'a T {
    let mut all = all.iter();
    all.find(|one| name_of(one) == name)
        .expect("clap lets only these names through")
}
