#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| wardline_tests::fuzz::relay_answers(data));
