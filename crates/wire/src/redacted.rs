//! What `Debug` shows in place of personal data and secrets, so that none reaches a log by accident.

use std::fmt;

/// Stands for a text that is there but not shown.
pub(crate) struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Implements `Debug` for a struct; fields behind the semicolon are shown as `[redacted]`.
macro_rules! redacting_debug {
    ($name:ident { $($shown:ident),* ; $($hidden:ident),* }) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // Names every field, so that a new one has to be put on one of the two sides.
                let Self { $($shown,)* $($hidden: _,)* } = self;
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), $shown))*
                    $(.field(stringify!($hidden), &$crate::redacted::Redacted))*
                    .finish()
            }
        }
    };
}
pub(crate) use redacting_debug;
