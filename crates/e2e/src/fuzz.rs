//! What the fuzz target `sealed` does, for the tests too.

use carillon_wire::UnixMillis;
use carillon_wire::payload::Payload;

use crate::certificate::verify_credentials;
use crate::challenge::audience;
use crate::padding::{pad, unpad};
use crate::phrase::Phrase;
use crate::session::{decode, encode};

/// What lies in a box that opens: the other device has the keys, and may still have put anything into it. What is read
/// is written, and read again as the same.
///
/// # Panics
/// When that does not hold.
#[expect(clippy::panic, reason = "what fuzzing looks for")]
pub fn sealed(data: &[u8]) {
    if let Ok(payload) = unpad(data) {
        assert_eq!(pad(payload).ok().as_ref().map(|padded| padded.as_slice()), Some(data), "one padding");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (Phrase::parse(text), audience(text));
    }
    let Ok(padded) = pad(data) else { return };
    let Ok(payload) = decode(&padded) else { return };
    if let Payload::Offer(offer) = &payload {
        let _ = verify_credentials(&offer.credentials, UnixMillis(1_767_225_600_000));
    }
    // A text may be longer in our writing than in theirs, and fit into no box.
    let Ok(written) = encode(&payload) else { return };
    match decode(&written) {
        Ok(read) => assert_eq!(read, payload),
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_short_run_from_the_corpus() {
        carillon_testkit::corpus::run("sealed", 20_000, super::sealed);
    }
}
