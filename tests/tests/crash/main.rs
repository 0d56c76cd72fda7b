//! Processes that die: devices and a relay, each a process of its own, killed at random moments, at every
//! named point, in the middle of an opening, beside a second process on the same store; and stores that
//! go back in time.
//!
//! A binary of its own: the processes are many, and everything in here is about what they leave behind.

mod gadget;
mod keys;
mod kill;
mod memory;
mod notices;
mod plays;
mod points;
mod poison;
mod puppet;
mod rollback;
mod stage;
mod together;
