//! The code that runs an input is part of the tests, which also run the inputs that are kept.

#[path = "../../tests/fuzz/call.rs"]
pub mod call;
#[path = "../../tests/fuzz/commit.rs"]
pub mod commit;
#[path = "../../tests/fuzz/hedging_policy.rs"]
pub mod hedging_policy;
#[path = "../../tests/fuzz/input.rs"]
pub mod input;
#[path = "../../tests/fuzz/outcomes.rs"]
pub mod outcomes;
#[path = "../../tests/fuzz/rate_limit.rs"]
pub mod rate_limit;
#[path = "../../tests/fuzz/replay_body.rs"]
pub mod replay_body;
#[path = "../../tests/fuzz/response_head.rs"]
pub mod response_head;
#[path = "../../tests/fuzz/resume.rs"]
pub mod resume;
#[path = "../../tests/fuzz/service_config.rs"]
pub mod service_config;
#[path = "../../tests/fuzz/service_policy.rs"]
pub mod service_policy;

use support::{body, download, origin};

#[path = "../../tests/support"]
mod support {
    pub mod body;
    pub mod download;
    pub mod origin;
    pub mod step;
}
