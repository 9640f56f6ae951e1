//! Pages that explain how to use this crate with others.

#[cfg(feature = "reqwest-middleware")]
pub mod migrating;
