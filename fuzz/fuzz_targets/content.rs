#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| wardline::testing::fuzz::content(data));
