//! What the layers do, over services in memory and on the paused clock.

mod body;
mod body_bytes;
mod body_kinds;
mod budget;
mod budget_per_authority;
mod budget_small_clients;
#[cfg(feature = "tower-http")]
mod by_tower_http;
mod cancellation;
mod commit;
mod commit_broken;
mod commit_classified;
mod commit_hostile;
mod commit_length;
mod commit_reads;
mod commit_stack;
mod commit_time;
mod commit_whole;
mod cooldown;
mod cooldown_ends;
mod cooldown_lives;
mod cooldown_waits;
mod cut_short;
#[cfg(feature = "http2")]
mod cut_short_http2;
mod deadline_header;
mod draining;
mod errors;
mod hedge;
mod hedge_balanced;
mod hedge_body;
mod hedge_control;
mod hedge_ends;
mod hedge_extremes;
mod hedge_held;
mod hedge_hostile;
mod hedge_learned;
#[cfg(feature = "metrics")]
mod hedge_metrics;
mod hedge_reported;
mod hedge_snapshot;
mod hints;
mod idempotency_key;
mod letting_go;
mod limits;
mod marks;
#[cfg(feature = "metrics")]
mod metrics;
mod outcomes;
mod printed;
mod rate_limit;
mod readiness;
mod recipes;
mod replicas;
mod resume;
mod resume_hostile;
mod resume_limits;
mod resume_reports;
mod snapshots;
mod stacked;
mod switch;
mod telling;
mod tower_http_layers;
#[cfg(feature = "tower")]
mod towers;
mod transparent;
mod verify;
mod verify_body;
mod verify_ends;
#[cfg(feature = "tower-http")]
mod verify_redirect;
mod verify_stack;
mod waits;

#[path = "../support"]
mod support {
    pub mod body;
    pub mod commit;
    pub mod content;
    pub mod cooling;
    pub mod download;
    pub mod errors;
    pub mod hedging;
    pub mod level;
    pub mod management;
    #[cfg(feature = "metrics")]
    pub mod recorded;
    pub mod step;
    pub mod stops;
    pub mod told;
    pub mod upstream;
}
