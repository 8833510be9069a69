//! Descriptions of the other side, as they are fed to the WebRTC stack.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| carillon_transport::fuzz::sdp(data));
