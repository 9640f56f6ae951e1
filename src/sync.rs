//! Types that threads share. The model checks compile the files of budget, cooldown and hedge with other
//! types instead.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
