//! What the fuzz target `frames` does, for the tests too.

use serde::Serialize;

use crate::frame::{FrameError, Numbered, decode_client, decode_server, encode};
use crate::id::Handle;

/// A frame as either side reads it. What was read is written, and read again as the same.
///
/// # Panics
/// When that does not hold.
#[expect(clippy::panic, reason = "what fuzzing looks for")]
pub fn frames(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    again(text, decode_client);
    again(text, decode_server);
    if let Ok(handle) = text.parse::<Handle>() {
        assert_eq!(handle.to_string().parse::<Handle>().as_ref(), Ok(&handle), "a handle");
    }

    fn again<T: Serialize + PartialEq + std::fmt::Debug>(
        text: &str,
        decode: impl Fn(&str) -> Result<Numbered<T>, FrameError>,
    ) {
        let Ok(frame) = decode(text) else { return };
        let written = encode(&frame);
        // Numbers and texts may be longer in our writing than in theirs.
        match decode(&written) {
            Ok(read) => assert_eq!(read, frame, "{written}"),
            Err(error) if written.len() > crate::limits::MAX_FRAME_BYTES => drop(error),
            Err(error) => panic!("{error}: {written}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_short_run_from_the_corpus() {
        carillon_testkit::corpus::run("frames", 20_000, super::frames);
    }
}
