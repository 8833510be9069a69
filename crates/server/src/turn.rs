//! TURN credentials by the TURN REST scheme (draft-uberti-behave-turn-rest): a user name that says when it runs out, and
//! as its password an HMAC-SHA1 under a secret that the TURN server shares. Nothing is stored, nothing is asked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carillon_wire::bytes::encode;
use carillon_wire::frame::{ServerFrame, TurnServer};
use carillon_wire::{Millis, UnixMillis};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::config::Config;

/// How long credentials count: longer than a call takes to connect, short enough to be of little use to a thief.
const TTL: Millis = Millis::from_secs(3600);

/// The reply to `turn`: the operator's servers with credentials that run out, or no server. `random` tells two devices'
/// user names apart.
pub(crate) fn reply(config: &Config, date: UnixMillis, random: [u8; 8]) -> ServerFrame {
    let Some(secret) = &config.turn_secret else {
        return ServerFrame::Turn { servers: Vec::new(), expires_in: TTL };
    };
    let username = format!("{}:{}", date.after(TTL).0 / 1000, encode(&random));
    let server = TurnServer {
        urls: config.turn_urls.clone(),
        credential: credential(secret.expose(), &username),
        username,
    };
    ServerFrame::Turn { servers: vec![server], expires_in: TTL }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 3)")]
fn credential(secret: &str, username: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(username.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn the_credential_is_what_a_turn_server_computes() {
        // printf '1700003600:AAAAAAAAAAA' | openssl dgst -sha1 -hmac hush -binary | base64
        assert_eq!(credential("hush", "1700003600:AAAAAAAAAAA"), CREDENTIAL);
        let config = Config {
            turn_urls: vec!["turn:turn.example.org".to_owned()],
            turn_secret: Some(Secret::new("hush")),
            ..Config::default()
        };
        let ServerFrame::Turn { servers, expires_in } = reply(&config, UnixMillis(1_700_000_000_000), [0; 8])
        else {
            panic!("a turn frame")
        };
        assert_eq!(expires_in, Millis(3_600_000));
        assert_eq!(servers[0].username, "1700003600:AAAAAAAAAAA");
        assert_eq!(servers[0].credential, CREDENTIAL);
    }

    #[test]
    fn without_a_secret_there_is_no_server() {
        let frame = reply(&Config::default(), UnixMillis(0), [0; 8]);
        assert!(matches!(frame, ServerFrame::Turn { servers, .. } if servers.is_empty()));
    }

    const CREDENTIAL: &str = "L6p8WE3Lkv74yuxIE0ddtnQflEo=";
}
