//! The rules of other libraries. All but tower's are reimplemented here, from their public documentation
//! and sources.

mod bhope;
mod failsafe;
mod finagle;
mod fixed;
mod tower_hedge;

pub use bhope::Bhope;
pub use failsafe::Failsafe;
pub use finagle::Finagle;
pub use fixed::Fixed;
pub use tower_hedge::TowerHedge;
