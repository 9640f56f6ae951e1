//! The example, run as its users run it: as a program, against servers on 127.0.0.1.

mod arguments;
mod broken;
mod changed;
mod demo;
mod directory;
mod interrupted;
mod lengths;
mod program;
mod refused;
mod scripted_server;
mod unwritable;
mod whole;

// What the demonstration is made of, with other sizes and other cuts.
#[path = "../../src/demo/content.rs"]
mod content;
#[path = "../../src/demo/cutting_proxy.rs"]
mod cutting_proxy;
#[path = "../../src/demo/listener.rs"]
mod listener;
#[path = "../../src/demo/server.rs"]
mod server;
