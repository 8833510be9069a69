//! RTP and RTCP of somebody who has the keys.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| carillon_transport::fuzz::chain(data));
