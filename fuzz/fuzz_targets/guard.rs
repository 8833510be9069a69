//! Datagrams from anywhere, plain and through a relay.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| carillon_transport::fuzz::guard(data));
