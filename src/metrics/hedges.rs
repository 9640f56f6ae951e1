use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

use super::family::Family;
use super::label::{METHOD, RESULT, method};
use crate::hedge_event::{HedgeEvent, HedgeEventKind};

static HEDGES: Family<2> = Family::new("tower_http_retry_hedges_total", [METHOD, RESULT]);

static DELAY: Family<1> = Family::new("tower_http_retry_hedge_delay_seconds", [METHOD]);

static SAVED: Family<0> = Family::new("tower_http_retry_hedge_saved_seconds", []);

pub(super) fn describe() {
    describe_counter!(HEDGES.name, Unit::Count, "Steps of hedges, by result.");
    describe_histogram!(
        DELAY.name,
        Unit::Seconds,
        "Time from the first attempt's start until its hedge was sent."
    );
    describe_gauge!(
        SAVED.name,
        Unit::Seconds,
        "Time that a hedge saves on average."
    );
}

pub(crate) fn retell(event: &HedgeEvent<'_>) {
    let method = method(event.request.method);
    HEDGES.count([method, RESULT.place(event.kind.as_str())], None);
    if event.kind == HedgeEventKind::Sent {
        DELAY.record([method], None, event.elapsed);
    }
    if let Some(saved) = event.saved {
        SAVED.set([], saved);
    }
}
