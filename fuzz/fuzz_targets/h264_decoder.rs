//! A decoder may be given anything.

#![no_main]

use carillon_media::video::VideoCodec;
use carillon_media::video::operations::decode;

libfuzzer_sys::fuzz_target!(|stream: &[u8]| decode(VideoCodec::H264, stream));
