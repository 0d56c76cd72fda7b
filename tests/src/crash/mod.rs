//! What the crash tests share with the processes they kill: where things are, what is said between them,
//! and what such a process does.
//!
//! A test starts the program `wardline-puppet` for each device and for the relay, tells it what to do over
//! its standard input, reads what became of it from its standard output, and ends it with a signal that no
//! process can catch. Which moments are worth it, and what must be true afterwards, is the tests' concern.

pub mod device;
pub mod orders;
pub mod relay;
mod site;

pub use site::Site;
