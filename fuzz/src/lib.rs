//! The bodies of the targets, as the crates that own them define and replay them.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "test support that other tests of its crate use"
)]

#[path = "../../org/tests/it/fuzz.rs"]
mod fuzz;
#[path = "../../org/tests/it/hospital.rs"]
mod hospital;
#[path = "../../org/tests/it/support.rs"]
mod support;
#[path = "../../org/tests/it/worked_request.rs"]
mod worked_request;

/// Targets of `wardline-org`.
pub mod org {
    macro_rules! targets {
        ($($name:ident),+ $(,)?) => {$(
            pub fn $name(data: &[u8]) {
                crate::fuzz::$name(data);
            }
        )+};
    }

    targets!(
        claimed_keys,
        credential,
        entries_answer,
        entry,
        head_answer,
        incoming_call,
        note,
        refusal,
        ticket,
    );
}
