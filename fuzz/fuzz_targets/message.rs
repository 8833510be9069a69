//! Messages on the data channel.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| carillon_transport::fuzz::message(data));
