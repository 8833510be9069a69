//! Frames of the socket, as either side reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| carillon_wire::fuzz::frames(data));
