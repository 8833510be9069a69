//! Who may place calls at all, as the operator has set it. Everyone may be called.

use std::fmt;
use std::str::FromStr;

use carillon_wire::AccountId;

/// How far calls are rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rollout {
    /// Every account may place calls.
    #[default]
    Everyone,
    /// Accounts that the operator has verified.
    VerifiedOnly,
    /// This many of a hundred accounts, 0 to 100. The same accounts each time: raising the number adds some and
    /// takes none away.
    Percentage(u8),
}

/// Why a text is no roll-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write `everyone`, `verified` or a whole percentage from `0%` to `100%`")]
pub struct ParseRolloutError;

impl FromStr for Rollout {
    type Err = ParseRolloutError;

    fn from_str(text: &str) -> Result<Self, ParseRolloutError> {
        match text {
            "everyone" => return Ok(Self::Everyone),
            "verified" => return Ok(Self::VerifiedOnly),
            _ => {}
        }
        let digits = text.strip_suffix('%').ok_or(ParseRolloutError)?;
        // `u8::from_str` takes a leading `+` and zeros, which would give one setting two spellings.
        let percent: u8 = digits.parse().map_err(|_| ParseRolloutError)?;
        if percent > 100 || percent.to_string() != digits {
            return Err(ParseRolloutError);
        }
        Ok(Self::Percentage(percent))
    }
}

impl fmt::Display for Rollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::VerifiedOnly => f.write_str("verified"),
            Self::Percentage(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Whether the roll-out lets this account place calls.
pub fn may_place_calls(rollout: Rollout, account: AccountId, verified: bool) -> bool {
    match rollout {
        Rollout::Everyone => true,
        Rollout::VerifiedOnly => verified,
        Rollout::Percentage(percent) => bucket(account) < percent,
    }
}

/// The account's place among 100, the same on every server and in every version.
///
/// FNV-1a (64 bits) over a label and the 16 bytes of the id, then the finaliser of MurmurHash3: FNV alone leaves
/// the high bits of short inputs poorly mixed. Not a secret: somebody could draw account keys until one is let in
/// early, which gains them nothing worth the work.
fn bucket(account: AccountId) -> u8 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for &byte in b"carillon rollout v1".iter().chain(account.as_bytes()) {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    // A product of 64 bits and 100, of which the high half is below 100.
    ((u128::from(hash) * 100) >> 64) as u8
}
