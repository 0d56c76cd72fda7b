//! What the whole-system tests share: a ward with a relay, an authority and devices, all of it real.

pub mod crash;
pub mod fuzz;
mod memory;
mod needles;
mod ward;

pub use memory::Memory;
pub use needles::{Needles, files, unhex};
pub use ward::{Phone, Ward, organization, passphrase, settle, team, text, to};
pub use wardline_relay::faults::{Fault, Faults};
