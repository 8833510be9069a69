//! Bodies of the REST part under `/v1/`.

use serde::{Deserialize, Serialize};

use crate::bytes::{Bytes32, Signature};
use crate::code::Code;
use crate::frame::Media;
use crate::id::{AccountId, DeviceId, Handle};
use crate::redacted::redacting_debug;
use crate::signed::{Credentials, Signed};
use crate::time::{Millis, UnixMillis};

/// Body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// Stable code.
    pub code: Code,
    /// A sentence for a person.
    pub message: String,
    /// With `rate_limited`: when to try again, in milliseconds. `Retry-After` says the same in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub retry_after: Option<Millis>,
}

/// `GET /v1/server`: what a client needs to know before it signs up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerInfo {
    /// Protocol versions served.
    pub protocols: Vec<u16>,
    /// Version of the server program.
    pub version: String,
    /// Whether it takes new accounts.
    pub sign_up: SignUpMode,
    /// Ed25519 key that signs badges.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub issuer_key: Bytes32,
}

/// Who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SignUpMode {
    /// Everyone.
    Open,
    /// Whoever has an invitation.
    Invitation,
    /// Nobody.
    Closed,
}

/// `POST /v1/challenges`: something to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Challenge {
    /// To be signed once, within [`crate::limits::CHALLENGE_TTL`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub nonce: Bytes32,
    /// How long it counts, in milliseconds.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub expires_in: Millis,
}

/// `POST /v1/accounts`: sign up. Answer: [`Session`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignUp {
    /// The wished handle, as typed.
    pub handle: String,
    /// Display name; the handle if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The invitation, where the server wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<String>,
    /// The first device.
    pub device: NewDevice,
}

redacting_debug!(SignUp { device; handle, name, invitation });

/// `POST /v1/devices`: adds a device to an existing account (a recovery, or a link). Answer: [`Session`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewDevice {
    /// Account key and certificate.
    pub credentials: Credentials,
    /// What the person calls the device.
    pub device_name: String,
    /// The nonce of a challenge.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub nonce: Bytes32,
    /// The device key's signature over the challenge.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub signature: Signature,
}

redacting_debug!(NewDevice { credentials, nonce, signature; device_name });

/// `POST /v1/sessions`: sign in. Answer: [`Session`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignIn {
    /// Which device.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub device: DeviceId,
    /// The nonce of a challenge.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub nonce: Bytes32,
    /// The device key's signature over the challenge.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub signature: Signature,
}

/// A signed-in device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// For `Authorization: Bearer`.
    pub token: String,
    /// How long the token counts, in milliseconds.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub expires_in: Millis,
    /// The account.
    pub me: Me,
}

redacting_debug!(Session { expires_in, me; token });

/// `GET /v1/me`: the own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The account as others see it.
    #[serde(flatten)]
    pub profile: Profile,
    /// The device that asks.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub device: DeviceId,
    /// The badge to be put into offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<Signed>,
    /// When the account was made.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
}

/// An account as others see it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    /// The account.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub account: AccountId,
    /// Its handle.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub handle: Handle,
    /// Its display name.
    pub name: String,
    /// Path of its picture under the server's address, if it has one. The path changes with the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Whether the server says that it is verified. Offers carry the proof.
    pub verified: bool,
}

redacting_debug!(Profile { account, handle, picture, verified; name });

/// An account beside what binds it to the own one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Person {
    /// The account.
    #[serde(flatten)]
    pub profile: Profile,
    /// I follow them.
    pub following: bool,
    /// They follow me.
    pub follows_me: bool,
    /// I block them.
    pub blocked: bool,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// For `?cursor=` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /v1/accounts/{account}/devices`: what a caller needs to seal offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceKeys {
    /// Ed25519 public key of the account.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub account_key: Bytes32,
    /// One certificate for each device that is not revoked.
    pub certificates: Vec<Signed>,
}

/// `GET /v1/devices`: one of the own devices.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// The device.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub device: DeviceId,
    /// What the person calls it.
    pub name: String,
    /// The one that asks.
    pub this: bool,
    /// Connected now.
    pub online: bool,
    /// When it was added.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub added_at: UnixMillis,
    /// When it was last connected, to the day.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<UnixMillis>,
}

redacting_debug!(Device { device, this, online, added_at, last_seen; name });

/// `PATCH /v1/me`: a missing field stays as it is.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProfileChange {
    /// New display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

redacting_debug!(ProfileChange { ; name });

/// `GET /v1/settings/calls`: who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallSettings {
    /// Calls as a whole.
    pub enabled: bool,
    /// People I follow may call.
    pub following: bool,
    /// Verified users may call.
    pub verified: bool,
    /// People in my address book may call.
    pub address_book: bool,
    /// Everyone may call.
    pub everyone: bool,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self { enabled: true, following: true, verified: false, address_book: false, everyone: false }
    }
}

/// `PATCH /v1/settings/calls`: a missing field stays as it is. Answer: [`CallSettings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallSettingsChange {
    /// Calls as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// People I follow may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub following: Option<bool>,
    /// Verified users may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// People in my address book may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_book: Option<bool>,
    /// Everyone may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everyone: Option<bool>,
}

impl CallSettings {
    /// The settings with a change applied.
    #[must_use]
    pub fn with(self, change: CallSettingsChange) -> Self {
        Self {
            enabled: change.enabled.unwrap_or(self.enabled),
            following: change.following.unwrap_or(self.following),
            verified: change.verified.unwrap_or(self.verified),
            address_book: change.address_book.unwrap_or(self.address_book),
            everyone: change.everyone.unwrap_or(self.everyone),
        }
    }
}

/// `GET /v1/abilities`: what the roll-out lets the signed-in account do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Abilities {
    /// May place calls. Everyone may be called.
    pub place_calls: bool,
}

/// Which of the two lists a call that did not reach anybody is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MissedKind {
    /// It was allowed to ring and nobody answered.
    Missed,
    /// The settings did not let it ring.
    Filtered,
}

/// `GET /v1/calls/missed` and `GET /v1/calls/filtered`: a call that did not reach anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MissedCall {
    /// For `DELETE /v1/calls/missed/{id}`; grows, so a client asks for what came after the last one it knows.
    pub id: u64,
    /// Who called.
    pub from: Profile,
    /// With what.
    pub media: Media,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub at: UnixMillis,
    /// Missed or filtered.
    pub kind: MissedKind,
}
