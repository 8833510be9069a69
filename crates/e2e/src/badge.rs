//! The verified badge: an issuer's word that an account belongs to whom its handle says.
//!
//! It names the account and travels inside the sealed Offer, so it can't be moved to another account.

use carillon_wire::signed::{Badge, CONTEXT_BADGE, Signed};
use carillon_wire::{AccountId, Bytes32, UnixMillis};

use crate::statement::{self, StatementError, Validity, validity};

/// Why a badge does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadgeError {
    /// Not signed by this issuer.
    #[error("the badge is not signed by this issuer")]
    Signature,
    /// Signed, but not a badge.
    #[error("the badge can't be read")]
    Malformed,
    /// It belongs to another account.
    #[error("the badge is for another account")]
    OtherAccount,
    /// Issued later than now.
    #[error("the badge does not count yet")]
    NotYetValid,
    /// Its time is over.
    #[error("the badge has expired")]
    Expired,
}

impl From<StatementError> for BadgeError {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::Signature => Self::Signature,
            StatementError::Malformed | StatementError::Encoding => Self::Malformed,
        }
    }
}

/// Verifies a badge that stands beside credentials of `account`, which must have been verified already.
///
/// The handle in it is the one at the time of issue: show the badge only beside a name that has the same.
///
/// # Errors
/// [`BadgeError`], one for each reason.
pub fn verify_badge(
    issuer_key: &Bytes32,
    badge: &Signed,
    account: AccountId,
    now: UnixMillis,
) -> Result<Badge, BadgeError> {
    let badge: Badge = statement::verify(issuer_key, CONTEXT_BADGE, badge)?;
    if badge.account != account {
        return Err(BadgeError::OtherAccount);
    }
    match validity(badge.issued_at, badge.expires_at, now) {
        Validity::Future => Err(BadgeError::NotYetValid),
        Validity::Past => Err(BadgeError::Expired),
        Validity::Current => Ok(badge),
    }
}
