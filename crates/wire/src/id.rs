//! Who and what: a newtype for every id.
//!
//! Account and device ids are derived from public keys (see `carillon-e2e`), so nobody can give an id a
//! second key. A call id is drawn at random by the caller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bytes::{BytesError, Fixed};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(as = "String"))]
        #[serde(transparent)]
        pub struct $name(pub Fixed<16>);

        impl $name {
            /// An id of these 16 bytes.
            pub const fn new(bytes: [u8; 16]) -> Self {
                Self(Fixed(bytes))
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        /// A letter for the kind and the first six characters, so that logs can't be joined to people.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = self.0.to_string();
                write!(f, concat!($letter, ":{}…"), text.get(..6).unwrap_or(&text))
            }
        }

        impl FromStr for $name {
            type Err = BytesError;

            fn from_str(text: &str) -> Result<Self, BytesError> {
                Fixed::parse(text).map(Self)
            }
        }
    };
}

id!(
    /// An account: the first 16 bytes of a hash of its account key.
    AccountId,
    "a"
);
id!(
    /// A device: the first 16 bytes of a hash of its device key.
    DeviceId,
    "d"
);
id!(
    /// One call, drawn at random by the caller. Ids are ordered by their bytes; of two calls in glare the
    /// lower one wins.
    CallId,
    "c"
);

/// A handle: what a person is found by, without the `@`.
///
/// 3 to 20 of `a`–`z`, `0`–`9` and `_`; starts with a letter, does not end in `_`, has no two `_` in a row.
/// Upper case is folded. Personal data: its `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(as = "String"))]
pub struct Handle(String);

/// Why a text is no handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// Fewer than 3 or more than 20 characters.
    #[error("a handle has 3 to 20 characters")]
    Length,
    /// Something other than letters without accents, digits and `_`.
    #[error("a handle has only the letters a to z, digits and _")]
    Character,
    /// A form that is easily misread.
    #[error("a handle starts with a letter, and _ stands alone between other characters")]
    Shape,
}

impl Handle {
    /// Fewest characters.
    pub const MIN: usize = 3;
    /// Most characters.
    pub const MAX: usize = 20;

    /// Parses a handle as a person types it: one leading `@` and upper case are accepted.
    ///
    /// # Errors
    /// [`HandleError`], one for each rule.
    pub fn parse(text: &str) -> Result<Self, HandleError> {
        let text = text.strip_prefix('@').unwrap_or(text);
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(HandleError::Character);
        }
        if !(Self::MIN..=Self::MAX).contains(&text.len()) {
            return Err(HandleError::Length);
        }
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || text.ends_with('_') || text.contains("__")
        {
            return Err(HandleError::Shape);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The handle in lower case, without `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("@[redacted]")
    }
}

impl FromStr for Handle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        Self::parse(text)
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_fold_case_and_drop_one_at_sign() {
        assert_eq!(Handle::parse("@Ada_L").unwrap().as_str(), "ada_l");
        assert_eq!(Handle::parse("@@ada"), Err(HandleError::Character));
    }

    #[test]
    fn handles_refuse_what_is_easily_misread() {
        for (text, error) in [
            ("ab", HandleError::Length),
            ("abcdefghijklmnopqrstu", HandleError::Length),
            ("", HandleError::Length),
            ("ada\u{7}", HandleError::Character),
            ("ada lovelace", HandleError::Character),
            ("аda", HandleError::Character),
            ("ada\u{202e}x", HandleError::Character),
            ("1ada", HandleError::Shape),
            ("_ada", HandleError::Shape),
            ("ada_", HandleError::Shape),
            ("a__da", HandleError::Shape),
        ] {
            assert_eq!(Handle::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn debug_shows_no_handle_and_no_whole_id() {
        assert_eq!(format!("{:?}", Handle::parse("ada").unwrap()), "@[redacted]");
        assert_eq!(format!("{:?}", AccountId::new([0; 16])), "a:AAAAAA…");
    }
}
