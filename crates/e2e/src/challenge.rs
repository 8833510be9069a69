//! Challenges: a device signs the server's nonce in place of a password (`PROTOCOL.md`, section 3).
//!
//! Server and client build the same [`Challenge`]; one signs it, the other verifies it. That a nonce is used once
//! and in time is the server's business.

use std::net::Ipv6Addr;

use carillon_wire::signed::{CONTEXT_HELLO, CONTEXT_SESSION};
use carillon_wire::{Bytes32, DeviceId, Signature};

use crate::keys::{DeviceKey, device_id};
use crate::statement::verify_bytes;

/// What a challenge is answered for. A signature for one is of no use for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// `hello` on the socket.
    Hello,
    /// Signing up, signing in, or adding a device, by REST.
    Session,
}

impl Purpose {
    const fn context(self) -> &'static str {
        match self {
            Self::Hello => CONTEXT_HELLO,
            Self::Session => CONTEXT_SESSION,
        }
    }
}

/// Why an answer to a challenge is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// The key is not the device's.
    #[error("the key belongs to another device")]
    OtherDevice,
    /// The signature does not fit.
    #[error("the signature does not fit the challenge")]
    Signature,
}

/// What a device signs.
#[derive(Debug, Clone, Copy)]
pub struct Challenge<'a> {
    /// For what.
    pub purpose: Purpose,
    /// The server's nonce.
    pub nonce: &'a Bytes32,
    /// Who signs.
    pub device: DeviceId,
    /// The protocol version that the device wishes to speak.
    pub protocol: u16,
    /// The server's address as [`audience`] gives it.
    pub audience: &'a str,
}

impl Challenge<'_> {
    /// The bytes that are signed.
    pub fn message(&self) -> Vec<u8> {
        [
            self.purpose.context().as_bytes(),
            &[0],
            &self.nonce.0,
            self.device.as_bytes(),
            &self.protocol.to_be_bytes(),
            self.audience.as_bytes(),
        ]
        .concat()
    }

    /// Signs it.
    pub fn sign(&self, key: &DeviceKey) -> Signature {
        key.sign(&self.message())
    }

    /// Verifies the device's answer.
    ///
    /// # Errors
    /// [`ChallengeError::OtherDevice`] when the key is not of [`device`](Self::device), else
    /// [`ChallengeError::Signature`].
    pub fn verify(&self, device_key: &Bytes32, signature: &Signature) -> Result<(), ChallengeError> {
        if device_id(device_key) != self.device {
            return Err(ChallengeError::OtherDevice);
        }
        verify_bytes(device_key, &self.message(), signature).map_err(|_| ChallengeError::Signature)
    }
}

/// Why a text is no address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AudienceError {
    /// Not `http`, `https`, `ws` or `wss`.
    #[error("the address must start with https://, http://, wss:// or ws://")]
    Scheme,
    /// A user name or password in it.
    #[error("the address must not have a user name or password")]
    UserInfo,
    /// No host, or one with characters that host names don't have. International names must be in their ASCII form
    /// (RFC 5891).
    #[error("the address has no valid host name")]
    Host,
    /// Not a port.
    #[error("the address has no valid port")]
    Port,
}

/// The audience of a server's URL: its host, and its port if it is not the scheme's own, in lower case. Path and
/// query don't matter: `https://Calls.Example.org:443/v1` and `wss://calls.example.org` have the same.
///
/// # Errors
/// [`AudienceError`], one for each part.
pub fn audience(url: &str) -> Result<String, AudienceError> {
    let (scheme, rest) = url.split_once("://").ok_or(AudienceError::Scheme)?;
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => return Err(AudienceError::Scheme),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(AudienceError::UserInfo);
    }
    let (host, port) = host_and_port(authority)?;
    let port = match port {
        "" => default_port,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse::<u16>().map_err(|_| AudienceError::Port)?
        }
        _ => return Err(AudienceError::Port),
    };
    Ok(if port == default_port { host } else { format!("{host}:{port}") })
}

fn host_and_port(authority: &str) -> Result<(String, &str), AudienceError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or(AudienceError::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| AudienceError::Host)?;
        let port = match after.strip_prefix(':') {
            Some(port) => port,
            None if after.is_empty() => "",
            None => return Err(AudienceError::Port),
        };
        return Ok((format!("[{address}]"), port));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(AudienceError::Host);
    }
    Ok((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_host_and_unusual_port() {
        for (url, expected) in [
            ("https://calls.example.org", "calls.example.org"),
            ("https://Calls.Example.ORG:443/v1/?a=b#c", "calls.example.org"),
            ("wss://calls.example.org/v1/socket", "calls.example.org"),
            ("http://127.0.0.1:8443", "127.0.0.1:8443"),
            ("ws://localhost:80", "localhost"),
            ("WS://localhost:443", "localhost:443"),
            ("https://[::1]:8443/", "[::1]:8443"),
            ("https://[0:0:0:0:0:0:0:1]", "[::1]"),
            ("https://calls.example.org:", "calls.example.org"),
            ("https://calls.example.org:08443", "calls.example.org:8443"),
        ] {
            assert_eq!(audience(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_its_reason() {
        for (url, error) in [
            ("calls.example.org", AudienceError::Scheme),
            ("ftp://calls.example.org", AudienceError::Scheme),
            ("https://ada:secret@calls.example.org", AudienceError::UserInfo),
            ("https://", AudienceError::Host),
            ("https:///v1", AudienceError::Host),
            ("https://calls example", AudienceError::Host),
            ("https://cällš.example", AudienceError::Host),
            ("https://[::1", AudienceError::Host),
            ("https://[::1]8443", AudienceError::Port),
            ("https://calls.example.org:65536", AudienceError::Port),
            ("https://calls.example.org:+1", AudienceError::Port),
        ] {
            assert_eq!(audience(url), Err(error), "{url}");
        }
    }
}
