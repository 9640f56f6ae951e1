#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tower_http_retry_fuzz::commit::fuzz(data));
