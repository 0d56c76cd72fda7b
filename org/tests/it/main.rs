//! What the users of `wardline-org` get, one module for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(feature = "authority")]
mod authorities;
mod calls;
mod connect;
mod credentials;
#[cfg(feature = "authority")]
mod desk;
mod directories;
#[cfg(feature = "authority")]
mod enrollments;
mod entries;
mod fuzz;
mod hospital;
#[cfg(feature = "http")]
mod http;
mod ids;
#[cfg(feature = "authority")]
mod imports;
mod logs;
mod notes;
mod prekeys;
mod proofs;
#[cfg(feature = "authority")]
mod publishers;
#[cfg(feature = "authority")]
mod relay;
mod roots;
mod support;
#[cfg(feature = "authority")]
mod tickets;
mod trees;
mod trust;
#[cfg(feature = "authority")]
mod vouches;
#[cfg(feature = "authority")]
mod wipes;
mod worked_request;
