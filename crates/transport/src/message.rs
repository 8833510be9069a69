//! Payloads on the data channel: one JSON text in each message, as in a sealed box.

use carillon_wire::limits::BOX_BUCKETS;
use carillon_wire::payload::Payload;

/// Longest message, in bytes: the largest payload that a sealed box takes.
pub const MAX_MESSAGE_BYTES: usize = {
    let mut largest = 0;
    let mut at = 0;
    while at < BOX_BUCKETS.len() {
        if BOX_BUCKETS[at] > largest {
            largest = BOX_BUCKETS[at];
        }
        at += 1;
    }
    largest - 4
};

/// Why a message is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("the message is too long")]
    TooLong,
    /// Not a payload.
    #[error("the message is not a payload")]
    Malformed,
}

/// Reads a message.
///
/// # Errors
/// Why it is not used.
pub fn parse(message: &[u8]) -> Result<Payload, MessageError> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(MessageError::TooLong);
    }
    serde_json::from_slice(message).map_err(|_| MessageError::Malformed)
}

/// Writes a message.
///
/// # Errors
/// [`MessageError::TooLong`].
pub fn write(payload: &Payload) -> Result<String, MessageError> {
    let message = serde_json::to_string(payload).map_err(|_| MessageError::Malformed)?;
    if message.len() > MAX_MESSAGE_BYTES { Err(MessageError::TooLong) } else { Ok(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_comes_back() {
        let payload = Payload::MaxRate { bits_per_second: 64_000 };
        assert_eq!(parse(write(&payload).unwrap().as_bytes()), Ok(payload));
    }

    #[test]
    fn a_message_is_no_longer_than_a_box_takes() {
        assert_eq!(MAX_MESSAGE_BYTES, 8188);
        let long = format!("{{\"type\":\"{}\"}}", "x".repeat(MAX_MESSAGE_BYTES));
        assert_eq!(parse(long.as_bytes()), Err(MessageError::TooLong));
        let payload = Payload::Candidates {
            generation: 0,
            candidates: vec!["x".repeat(MAX_MESSAGE_BYTES)],
            last: false,
        };
        assert_eq!(write(&payload), Err(MessageError::TooLong));
    }

    #[test]
    fn garbage_is_refused_and_an_unknown_kind_is_not() {
        for message in [&b""[..], b"{", b"[]", b"{\"type\":1}", b"\xff", b"{\"type\":\"max_rate\"}"] {
            assert_eq!(parse(message), Err(MessageError::Malformed));
        }
        assert_eq!(parse(b"{\"type\":\"from_tomorrow\"}"), Ok(Payload::Unknown));
    }
}
