//! Any packets of pictures may come, in any order.

#![no_main]

use carillon_media::video::operations::{Operation, run};

libfuzzer_sys::fuzz_target!(|operations: Vec<Operation>| {
    run(&operations);
});
