//! V4L2 cameras for tests, put before the C library by `LD_PRELOAD`: for machines without a camera.
//!
//! `FAKECAM_DIR` names a folder. Each file `videoN` in it is a camera `/dev/videoN`, made of `key=value` lines (see
//! `config.rs`); to create the file plugs it in, to remove it pulls it out, in the middle of a stream too. Pictures
//! carry their number and the time they were taken as a bar code, [`carillon_media::picture::bar_code`].
//!
//! Nothing links to this: the functions that it puts before the C library's would stand in any program that did.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "it answers in the place of the C library and of the kernel")]
#![allow(unsafe_op_in_unsafe_fn, reason = "its functions are C's, unsafe from end to end")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_safety_doc,
    reason = "a part of tests; the contracts are those of the C library's functions"
)]

mod config;
mod device;
mod hooks;
mod picture;
