//! What goes wrong, as a stable code beside a sentence that a person can act on.

use std::fmt;

use carillon_wire::{Code, Millis};
use serde::{Serialize, Serializer};

/// Any failure of a [`crate::Client`] method.
///
/// Programs match on [`code`](Self::code); `message` is in English and for a person. It names no key, no token and no
/// path below the profile directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{message}")]
pub struct ClientError {
    /// What went wrong.
    pub code: ErrorCode,
    /// What to do about it.
    pub message: String,
    /// When to try again, where the server says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Millis>,
}

/// A code of the server, or one of the client's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The server said so.
    Server(Code),
    /// It was found out here.
    Local(LocalCode),
}

macro_rules! local_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $sentence:literal;)*) => {
        /// What this device itself found out. A code never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum LocalCode {
            $($(#[$doc])* $name,)*
        }

        impl LocalCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it stands in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// A sentence in English that says what to do next.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

local_codes! {
    /// The server can't be reached.
    Offline = "offline", "The server can't be reached. Check the connection and the address.";
    /// Nobody has signed up in this profile.
    NoAccount = "no_account", "There is no account here yet. Sign up first.";
    /// This profile has an account.
    HasAccount = "has_account", "This profile has an account already. Use another profile for another account.";
    /// No server was named, neither now nor before.
    NoServer = "no_server", "Which server? Give its address.";
    /// Not the address of a server.
    AddressInvalid = "address_invalid", "This is no server address. It looks like https://calls.example.org.";
    /// Plain HTTP to another machine.
    AddressInsecure = "address_insecure", "Plain http is only for this machine. Use https.";
    /// The server's certificate is not one to trust.
    CertificateRefused = "certificate_refused", "The certificate of this server is not trusted. Check the address and the clock.";
    /// The file that was given holds no certificates.
    CaInvalid = "ca_invalid", "The file of the certificate authority holds no certificate in PEM.";
    /// The account in this profile lives on another server.
    OtherServer = "other_server", "The account in this profile belongs to another server.";
    /// A handle points to another account than it did.
    HandleChanged = "handle_changed", "This handle belongs to another account than before. Ask the person, then confirm the change.";
    /// No key store of the operating system answers.
    KeyStore = "key_store", "The key store of this computer does not answer. Unlock it, or keep the keys in a file with --insecure-secrets.";
    /// The keys of this profile are gone.
    KeysMissing = "keys_missing", "The keys of this profile are missing. Recover the account with its phrase in a new profile.";
    /// Another process uses the profile.
    ProfileLocked = "profile_locked", "Another Carillon uses this profile. Close it, or use another profile.";
    /// The profile's database can't be read. Nothing was deleted.
    ProfileDamaged = "profile_damaged", "The data of this profile can't be read. Nothing was deleted. Move the profile away, or restore a copy.";
    /// A newer Carillon wrote the profile.
    ProfileNewer = "profile_newer", "A newer Carillon has used this profile. Update Carillon.";
    /// The profile can't be read or written.
    Storage = "storage", "The profile can't be read or written. Check the disk and the permissions.";
    /// Not a recovery phrase.
    PhraseInvalid = "phrase_invalid", "This is no recovery phrase. Check each word and their order.";
    /// The server answers with something that isn't the protocol.
    BadAnswer = "bad_answer", "The server's answer can't be understood. Is this the address of a Carillon server?";
    /// The server gave keys that don't fit.
    KeysInvalid = "keys_invalid", "The server gave keys that don't belong to this account. The call was not placed.";
    /// Something was typed that can't be.
    Invalid = "invalid", "This value can't be used.";
    /// The sound system of this machine does not answer.
    Sound = "sound", "The sound of this computer can't be used. Check that a sound system runs.";
    /// The client has been shut down.
    Stopped = "stopped", "Carillon is closing.";
}

impl ClientError {
    /// An error of the client's own, with the code's sentence.
    pub fn local(code: LocalCode) -> Self {
        Self { code: ErrorCode::Local(code), message: code.sentence().to_owned(), retry_after: None }
    }

    /// An error of the client's own, with a sentence that says more.
    pub fn saying(code: LocalCode, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::Local(code), message: message.into(), retry_after: None }
    }

    /// What a server said, with the code's own sentence.
    pub fn server(code: Code) -> Self {
        Self { code: ErrorCode::Server(code), message: code.sentence().to_owned(), retry_after: None }
    }

    /// Whether it is this code of the client's own.
    pub fn is_local(&self, code: LocalCode) -> bool {
        self.code == ErrorCode::Local(code)
    }

    /// Whether it is this code of the server.
    pub fn is_server(&self, code: Code) -> bool {
        self.code == ErrorCode::Server(code)
    }
}

impl From<LocalCode> for ClientError {
    fn from(code: LocalCode) -> Self {
        Self::local(code)
    }
}

impl ErrorCode {
    /// The code as it stands in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server(code) => code.as_str(),
            Self::Local(code) => code.as_str(),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_of_the_client_means_something_else_to_the_server() {
        for local in LocalCode::ALL {
            assert!(Code::ALL.iter().all(|code| code.as_str() != local.as_str()), "{local:?}");
        }
    }

    #[test]
    fn an_error_is_a_code_and_a_sentence_in_json() {
        let error = ClientError::local(LocalCode::NoAccount);
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!(json["code"], "no_account");
        assert_eq!(json["message"], LocalCode::NoAccount.sentence());
        assert!(json.get("retry_after").is_none());
    }
}
