#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "test support that other tests of its crate use"
)]

#[path = "../../relay/tests/it/fuzz.rs"]
mod fuzz;
#[path = "../../relay/tests/it/hospital.rs"]
mod hospital;
#[path = "../../relay/tests/it/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::relay_calls(data));
