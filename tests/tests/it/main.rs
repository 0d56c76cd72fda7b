//! The whole system: devices, relay and authority, all of them real.

mod amend;
mod answers;
mod at_rest;
mod batches;
mod canary;
mod conversations;
mod custody;
mod delivery;
mod devices;
mod directory;
mod failures;
mod fuzz;
mod inbox;
mod keyless;
mod network;
mod proofs;
mod push;
mod quickstart;
mod recalls;
mod reminders;
mod reopen;
mod runtimes;
mod seam;
mod structured;
mod urgency;
mod wipe;
