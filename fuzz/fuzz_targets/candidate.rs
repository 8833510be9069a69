//! Candidate lines of the other side.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| carillon_transport::fuzz::candidate(data));
