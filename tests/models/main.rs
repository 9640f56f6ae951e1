//! What holds whatever comes: properties, a model of threads, inputs that fuzzers kept; and what of the
//! types is a promise: bounds, sizes, allocations.

mod allocations;
mod body_property;
mod bounds;
mod budget_model;
mod commit_property;
mod cooldown_model;
#[cfg(feature = "serde")]
#[path = "../fuzz/mod.rs"]
mod fuzz;
mod hedge_model;
mod hedge_property;
mod hedge_reference;
mod hedge_threads;
mod imports;
mod resume_property;
mod size;
mod verify_property;

// The files that the models compile find them at the root, as in the crate itself.
use budget_model::{striped, sync};
#[path = "../../src/timer.rs"]
#[allow(dead_code, reason = "the models need one of its functions")]
mod timer;

#[path = "../support"]
mod support {
    pub mod body;
    pub mod content;
    pub mod download;
    pub mod management;
    pub mod origin;
    pub mod step;
}
