//! What the benches share.
//!
//! Every figure is a ratio: what Wardline takes, to what the **bare work** takes in the same run, on the
//! same machine and disk. The bare work is what nobody can leave out: the operations of vodozemac and of
//! the AEADs, one Ed25519 signature or verification for each message, and one SQLCipher commit of the same
//! rows with the same pragmas and in the same batches. It is written by hand, without Wardline's code, so
//! that what Wardline adds shows.
//!
//! * [`bare`]: the bare work. [`scene`], [`stranger`]: wards and devices to measure on.
//! * [`seam`]: timing a client without its relay. [`load`]: requests on a socket. [`measure`], [`ratio`]: running and reporting.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock of the machine"
)]

pub mod bare;
pub mod load;
pub mod measure;
pub mod ratio;
pub mod scene;
pub mod seam;
pub mod stranger;
