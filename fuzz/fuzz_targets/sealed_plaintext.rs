#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| wardline::testing::fuzz::sealed_plaintext(data));
