//! What is written for tracing events.
//!
//! A binary of its own: the subscriber is one for the whole process, and where one listens, other tests
//! would find allocations that are not the crate's, and events that are told to nobody otherwise.

#[cfg(feature = "metrics")]
mod leaks;
mod tracing;

#[path = "../support"]
mod support {
    pub mod body;
    pub mod errors;
    pub mod log;
    pub mod step;
    pub mod stops;
    pub mod upstream;
}
