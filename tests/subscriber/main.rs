//! What is written for tracing events.
//!
//! A binary of its own: the subscriber is one for the whole process. Tests beside it would count what it
//! allocates, and could not see what is done when nobody listens.

#[cfg(feature = "metrics")]
mod leaks;
mod tracing;

#[path = "../support"]
mod support {
    pub mod body;
    pub mod cooling;
    pub mod download;
    pub mod errors;
    pub mod log;
    pub mod step;
    pub mod stops;
    pub mod upstream;
}
