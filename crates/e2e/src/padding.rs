//! Padding of sealed plaintexts: `length (4 bytes, big endian) ‖ payload ‖ zeros`, up to the next of
//! [`BOX_BUCKETS`], so that a box shows the server only which of six sizes its content has.

use carillon_wire::limits::BOX_BUCKETS;
use zeroize::Zeroizing;

/// Bytes of the length in front.
const LENGTH_BYTES: usize = 4;

/// Why a payload can't be padded, or a plaintext is not padded as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaddingError {
    /// Longer than the largest bucket takes.
    #[error("the payload is too large to seal")]
    TooLarge,
    /// Not a bucket, not the smallest bucket that the payload fits into, or bytes other than zero behind it.
    #[error("the plaintext is not padded as it must be")]
    Malformed,
}

/// The smallest bucket for a payload of this length.
fn bucket(payload: usize) -> Option<usize> {
    let needed = payload.checked_add(LENGTH_BYTES)?;
    BOX_BUCKETS.iter().copied().find(|&bucket| bucket >= needed)
}

/// Pads a payload. The result is wiped when dropped.
///
/// # Errors
/// [`PaddingError::TooLarge`].
pub fn pad(payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, PaddingError> {
    let bucket = bucket(payload.len()).ok_or(PaddingError::TooLarge)?;
    let length = u32::try_from(payload.len()).map_err(|_| PaddingError::TooLarge)?;
    let mut padded = Zeroizing::new(Vec::with_capacity(bucket));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(payload);
    padded.resize(bucket, 0);
    Ok(padded)
}

/// Takes the padding off. There is one padding for each payload: any other is refused, always with the same error and
/// after looking at every byte behind the payload.
///
/// # Errors
/// [`PaddingError::Malformed`].
pub fn unpad(padded: &[u8]) -> Result<&[u8], PaddingError> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(PaddingError::Malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| PaddingError::Malformed)?;
    let (payload, zeros) = rest.split_at_checked(length).ok_or(PaddingError::Malformed)?;
    let nonzero = zeros.iter().fold(0, |all, byte| all | byte);
    if nonzero != 0 || bucket(length) != Some(padded.len()) {
        return Err(PaddingError::Malformed);
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_goes_into_the_next_bucket_and_back() {
        let payload = vec![7; 8188];
        for length in 0..=8188 {
            let padded = pad(&payload[..length]).unwrap();
            let expected = BOX_BUCKETS.iter().find(|&&bucket| bucket >= length + 4);
            assert_eq!(Some(&padded.len()), expected);
            assert_eq!(unpad(&padded).unwrap(), &payload[..length]);
        }
        assert_eq!(pad(&[7; 8189]), Err(PaddingError::TooLarge));
    }

    #[test]
    fn a_byte_behind_the_payload_is_refused_wherever_it_is() {
        let padded = pad(b"payload").unwrap();
        for position in 11..512 {
            let mut edited = padded.clone();
            edited[position] = 1;
            assert_eq!(unpad(&edited), Err(PaddingError::Malformed), "{position}");
        }
    }

    #[test]
    fn a_larger_bucket_than_needed_is_refused() {
        let mut padded = pad(b"payload").unwrap().to_vec();
        padded.resize(1024, 0);
        assert_eq!(unpad(&padded), Err(PaddingError::Malformed));
    }

    #[test]
    fn a_length_beyond_the_plaintext_is_refused() {
        for length in [509_u32, 512, u32::MAX] {
            let mut padded = pad(b"").unwrap();
            padded[..4].copy_from_slice(&length.to_be_bytes());
            assert_eq!(unpad(&padded), Err(PaddingError::Malformed), "{length}");
        }
        for length in 0..4 {
            assert_eq!(unpad(&vec![0; length]), Err(PaddingError::Malformed));
        }
    }
}
