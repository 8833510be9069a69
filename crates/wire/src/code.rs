//! Stable error codes. Programs match on the code; the sentence beside it is for a person.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $sentence:literal;)*) => {
        /// What went wrong, as a stable code. A code once released never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(as = "String"))]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
            /// A code this version does not know; only ever read, never sent.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl Code {
            /// Every code, in the order of `PROTOCOL.md`.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it stands in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown => "unknown",
                }
            }

            /// The HTTP status that a REST answer with this code has.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                    Self::Unknown => 500,
                }
            }

            /// A sentence in English that says what to do next.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)*
                    Self::Unknown => "Something went wrong that this version does not know. Update Carillon.",
                }
            }
        }
    };
}

codes! {
    /// Not JSON, or a field is missing or of the wrong type.
    Malformed = "malformed", 400, "The request could not be read: it is not valid JSON, or a field is missing or has the wrong type.";
    /// Longer than [`crate::limits::MAX_FRAME_BYTES`] or [`crate::limits::MAX_BODY_BYTES`].
    TooLarge = "too_large", 413, "That is larger than the server takes.";
    /// A `type` that this server does not know.
    UnknownFrame = "unknown_frame", 400, "The server does not know this kind of frame.";
    /// The version in `hello` is not served.
    ProtocolUnsupported = "protocol_unsupported", 426, "This server does not speak that version of the protocol. Update Carillon.";
    /// A frame before `hello`, or a request without a token.
    NotSignedIn = "not_signed_in", 401, "Sign in first.";
    /// No `hello` within [`crate::limits::HELLO_TIMEOUT`].
    HelloTimeout = "hello_timeout", 408, "The connection did not sign in in time.";
    /// A signature that does not fit.
    BadSignature = "bad_signature", 401, "The signature does not fit.";
    /// A certificate that is not well-formed, not signed by the account key, or about another device.
    BadCertificate = "bad_certificate", 400, "The device certificate is not valid.";
    /// A certificate whose time is over.
    CertificateExpired = "certificate_expired", 400, "The device certificate has expired. Renew it.";
    /// A challenge that was never given, was used, or is too old.
    ChallengeExpired = "challenge_expired", 401, "The challenge is unknown or too old. Ask for a new one.";
    /// A token that is unknown or has run out.
    TokenExpired = "token_expired", 401, "The session is over. Sign in again.";
    /// The device has been revoked.
    DeviceRevoked = "device_revoked", 401, "This device has been removed from the account.";
    /// No such device.
    DeviceUnknown = "device_unknown", 404, "There is no such device.";
    /// As many devices as an account may have.
    TooManyDevices = "too_many_devices", 409, "The account has as many devices as it may have. Remove one first.";
    /// Not a handle by form.
    HandleInvalid = "handle_invalid", 422, "A handle has 3 to 20 letters a to z, digits and single _, and starts with a letter.";
    /// Somebody has this handle.
    HandleTaken = "handle_taken", 409, "This handle is taken.";
    /// A handle that nobody can have.
    HandleReserved = "handle_reserved", 409, "This handle is reserved.";
    /// Too easily mistaken for an existing handle.
    HandleConfusable = "handle_confusable", 409, "This handle looks too much like one that exists.";
    /// A display or device name that is empty, too long or has control characters.
    NameInvalid = "name_invalid", 422, "A name has 1 to 50 visible characters (40 for a device).";
    /// The account key has an account here.
    AccountExists = "account_exists", 409, "This key has an account here already. Sign in instead.";
    /// No such account.
    AccountUnknown = "account_unknown", 404, "There is no such account.";
    /// The operator has suspended the account.
    AccountSuspended = "account_suspended", 403, "The operator of this server has suspended the account.";
    /// Sign-up is closed.
    SignUpClosed = "sign_up_closed", 403, "This server takes no new accounts.";
    /// Sign-up needs an invitation, and there was none or an unknown one.
    InvitationInvalid = "invitation_invalid", 403, "This server takes new accounts by invitation. The invitation is missing, used or unknown.";
    /// Too often. `retry_after` says when again.
    RateLimited = "rate_limited", 429, "That was too often. Wait a moment.";
    /// The roll-out does not let this account place calls yet.
    CallsNotAvailable = "calls_not_available", 403, "Placing calls is not available for this account yet. You can still be called.";
    /// A call to the own account.
    CallSelf = "call_self", 422, "You can't call yourself.";
    /// A call that the server does not know, or that this device has no part in.
    CallUnknown = "call_unknown", 404, "There is no such call for this device.";
    /// The call id is in use for another call.
    CallExists = "call_exists", 409, "This call id is in use.";
    /// The call is over, or not in the state the request needs.
    CallState = "call_state", 409, "The call is not in a state in which this can be done.";
    /// The addressee has too many undelivered messages.
    MailboxFull = "mailbox_full", 429, "The other device has too many messages waiting.";
    /// A following or blocking of oneself.
    SelfTarget = "self_target", 422, "That can't be done to one's own account.";
    /// A picture that is none, or of a kind not taken.
    PictureInvalid = "picture_invalid", 422, "The picture could not be read. Send a PNG, JPEG or WebP picture.";
    /// A picture with too many bytes or pixels.
    PictureTooLarge = "picture_too_large", 413, "The picture is too large.";
    /// No such path.
    NotFound = "not_found", 404, "There is nothing here.";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, "That can't be done here.";
    /// The server's disk is full.
    StorageFull = "storage_full", 507, "The server has no room left. Try again later.";
    /// The connection reads too slowly and was closed.
    SlowReader = "slow_reader", 429, "The connection did not take its messages in time.";
    /// The same device connected again elsewhere.
    Replaced = "replaced", 409, "This device has connected anew; the older connection ends.";
    /// More connections than the server takes.
    Overloaded = "overloaded", 503, "The server is busy. Try again in a moment.";
    /// The server is about to restart.
    Restarting = "restarting", 503, "The server restarts. Try again in a moment.";
    /// A fault of the server.
    Internal = "internal", 500, "Something went wrong on the server.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_an_unknown_one_does_not_fail() {
        for &code in Code::ALL {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<Code>(&json).unwrap(), code);
        }
        assert_eq!(serde_json::from_str::<Code>("\"from_the_future\"").unwrap(), Code::Unknown);
    }
}
