//! Settings of a layer from a config file, and what they do.

mod read;
mod round_trips;
mod wrong;
