//! Anything may be done to a jitter buffer, in any order.

#![no_main]

use carillon_media::jitter::operations::{Operation, run};

libfuzzer_sys::fuzz_target!(|operations: Vec<Operation>| run(&operations));
