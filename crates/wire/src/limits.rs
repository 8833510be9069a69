//! Limits that both sides keep. A second implementation needs the same numbers.

use crate::time::Millis;

/// Longest frame in either direction, in bytes of UTF-8.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// Longest sealed box, in bytes before base64. [`MAX_DEVICES`] of them fit into one frame.
pub const MAX_BOX_BYTES: usize = 9 * 1024;

/// Sizes a sealed plaintext is padded to, in bytes; the Noise overhead comes on top.
pub const BOX_BUCKETS: &[usize] = &[512, 1024, 2048, 4096, 6144, 8192];

/// Most devices of one account, revoked ones not counted.
pub const MAX_DEVICES: usize = 5;

/// Most undelivered messages in one device's mailbox.
pub const MAX_MAILBOX: usize = 256;

/// How long a mailbox keeps a message.
pub const MAILBOX_TTL: Millis = Millis::from_secs(120);

/// Longest ring: a caller that asks for more gets this.
pub const MAX_RING: Millis = Millis::from_secs(60);

/// Shortest ring that a caller can ask for.
pub const MIN_RING: Millis = Millis::from_secs(5);

/// How long a caller whose line dropped while it rings has to come back.
pub const CALLER_GRACE: Millis = Millis::from_secs(15);

/// How long after a lost connection a device still counts as reachable.
pub const DEVICE_GRACE: Millis = Millis::from_secs(15);

/// How long a new connection has to say `hello`.
pub const HELLO_TIMEOUT: Millis = Millis::from_secs(10);

/// How long a challenge can be answered.
pub const CHALLENGE_TTL: Millis = Millis::from_secs(60);

/// How long a REST token lives.
pub const TOKEN_TTL: Millis = Millis::from_secs(24 * 3600);

/// How often an idle side sends `ping`; after two and a half silent periods the line counts as dead.
pub const HEARTBEAT: Millis = Millis::from_secs(30);

/// Lifetime of a device certificate; it is renewed with a new prekey when half of it is over.
pub const CERTIFICATE_TTL: Millis = Millis::from_secs(14 * 24 * 3600);

/// Age at which a device replaces its prekey and certificate.
pub const PREKEY_ROTATION: Millis = Millis::from_secs(7 * 24 * 3600);

/// Most accounts in one `presence` frame, and most that one connection watches.
pub const MAX_PRESENCE: usize = 256;

/// Longest display name, in Unicode scalar values.
pub const MAX_NAME_CHARS: usize = 50;

/// Longest device name, in Unicode scalar values.
pub const MAX_DEVICE_NAME_CHARS: usize = 40;

/// Largest uploaded picture, in bytes.
pub const MAX_PICTURE_BYTES: usize = 2 * 1024 * 1024;

/// Longest side of an uploaded picture, in pixels: beyond it the picture is not decoded.
pub const MAX_PICTURE_SIDE: u32 = 4096;

/// Side of the square picture that the server serves, in pixels.
pub const PICTURE_SIDE: u32 = 256;

/// Largest body of any other REST request, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// Entries of a page of a list when the request names no number.
pub const PAGE_DEFAULT: u32 = 50;

/// Most entries of a page of a list.
pub const PAGE_MAX: u32 = 200;
