//! Sends a second attempt beside one that is slow: [`HedgeLayer`](crate::HedgeLayer).

mod layer;
mod service;
mod future;
mod watch;
mod race;
mod losers;
mod settings;
#[cfg(feature = "tracing")]
mod trace;
mod learned;
mod survival;
mod buckets;
mod control;
mod purse;
mod body;

pub use crate::hedge_event::{HedgeEvent, HedgeEventKind, Hedged, NotSent};
pub use body::HedgeBody;
pub use future::HedgeFuture;
pub use layer::HedgeLayer;
pub use losers::{DropLosers, KeepLosers, KeptCall, Losers};
pub use service::Hedge;
