//! The relay with real signatures, real files and, where it matters, real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may fail"
)]

mod callers;
mod directory;
mod enrollment;
mod fuzz;
mod garbage;
mod gateway;
mod held;
mod hospital;
mod http;
mod keys;
mod limits;
mod messages;
mod polls;
mod push;
mod reach;
mod restart;
mod rotation;
mod secrecy;
mod upgrade;
mod wipes;
mod world;
