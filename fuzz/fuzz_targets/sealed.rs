//! What lies in a sealed box that opens.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| carillon_e2e::fuzz::sealed(data));
