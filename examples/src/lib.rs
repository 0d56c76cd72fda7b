//! What the example programs share: reading the simulated hospital, the quickstart, and a rota on call.
//!
//! The programs are in `examples/examples/`; they read their arguments and print. The work is here, so
//! that the whole-system tests can run it too.

pub mod hospital;
pub mod on_call;
mod progress;
pub mod quickstart;
mod scan;
mod work;
