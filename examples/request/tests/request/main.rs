//! The example, run as its users run it: as a program, against servers on 127.0.0.1.

mod answers;
mod arguments;
mod bodies;
mod cooldown;
mod many;
mod output;
mod program;
mod server;
