//! What the example programs share: reading the simulated hospital, and the quickstart itself.
//!
//! The programs are in `examples/examples/`; they read their arguments and print. The work is here, so
//! that the whole-system tests can run it too.

pub mod hospital;
pub mod quickstart;
