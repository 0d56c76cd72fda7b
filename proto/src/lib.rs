//! Every byte that crosses a Wardline device boundary.
//!
//! The `.proto` files under `proto/wardline/v1/` are the one definition; this crate is their
//! [prost] types and the descriptor set for clients of other ecosystems. It holds no behaviour:
//! what a field *means* is checked where it is used (`wardline-org` for the directory,
//! `wardline::session` for sealed content).
//!
//! | file | who reads it |
//! |---|---|
//! | `directory.proto` | everybody: entries, credentials, proofs |
//! | `relay.proto` | devices, the authority and the relay: every call of the relay |
//! | `sealed.proto` | the recipient device only, inside Olm: content keys and control traffic |
//! | `content.proto` | the recipient device only, inside the content cipher: what a person wrote |
//! | `proof.proto` | whoever is shown a message and asks who wrote it |
//!
//! Types that carry secrets or what people wrote have a `Debug` that shows nothing.
//!
//! [prost]: https://docs.rs/prost

/// Version 1 of the protocol, as generated from `proto/wardline/v1/`.
#[allow(missing_docs, clippy::all, rustdoc::all, unreachable_pub)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/wardline.v1.rs"));
}

mod debug;

pub use prost::{DecodeError, Message, bytes::Bytes};

/// The compiled `FileDescriptorSet` of `wardline.v1`, source comments included.
///
/// Any protobuf runtime can load it and call the relay without generated code.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
