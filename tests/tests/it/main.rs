//! The whole system: devices, relay and authority, all of them real.

mod delivery;
mod directory;
mod network;
mod quickstart;
mod seam;
