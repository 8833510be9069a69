//! What handlers take out of a request. Whatever can't be read is answered with a code of ours.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use carillon_policy::rate::Network;
use carillon_wire::limits::{MAX_BODY_BYTES, MAX_PICTURE_BYTES, PAGE_DEFAULT, PAGE_MAX};
use carillon_wire::{AccountId, Bytes32, Code, DeviceId};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::error::{ApiError, Result};
use crate::app::{ClientAddress, Shared};

/// Most bytes that are read and dropped of a body that is too large.
const MAX_DROPPED: usize = 8 << 20;

/// The account and device that a request's token belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedIn {
    pub(super) account: AccountId,
    pub(super) device: DeviceId,
    pub(super) token_hash: Bytes32,
}

/// What is stored of a token or an invitation.
pub(crate) fn hashed(secret: &str) -> Bytes32 {
    Bytes32::from(<[u8; 32]>::from(Sha256::digest(secret.as_bytes())))
}

impl FromRequestParts<Shared> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        // The scheme's name is not case-sensitive (RFC 9110, section 11.1).
        let token = header
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Code::NotSignedIn)?;
        let token_hash = hashed(token);
        let owner = app.store.token_owner(&token_hash, app.clock.now()).await?.ok_or(Code::TokenExpired)?;
        if owner.revoked {
            return Err(Code::DeviceRevoked.into());
        }
        if owner.suspended {
            return Err(Code::AccountSuspended.into());
        }
        Ok(Self { account: owner.account, device: owner.device, token_hash })
    }
}

/// A [`SignedIn`] that is about to change its account: counted against the quota of changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Changing(pub(super) SignedIn);

impl FromRequestParts<Shared> for Changing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        let me = SignedIn::from_request_parts(parts, app).await?;
        app.quotas.changes.check(&me.account, app.clock.now())?;
        Ok(Self(me))
    }
}

/// Where a request comes from, for quotas.
#[derive(Debug, Clone, Copy)]
pub(super) struct From(pub(super) Network);

impl FromRequestParts<Shared> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> std::result::Result<Self, Self::Rejection> {
        let address = parts.extensions.get().copied().unwrap_or(ClientAddress::UNKNOWN);
        Ok(Self(Network::of(address.0)))
    }
}

/// A JSON body.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Shared) -> Result<Self> {
        let bytes = read(request, MAX_BODY_BYTES, Code::TooLarge).await?;
        // Every body is an object. serde would also take a list of the fields' values, which is no part of the protocol.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(ApiError::with_detail(Code::Malformed, "the body must be a JSON object"));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // The error's own text may quote what was sent.
            let place = format!("at line {}, column {}", error.line(), error.column());
            ApiError::with_detail(Code::Malformed, place)
        })
    }
}

/// A picture as it was sent.
#[derive(Debug)]
pub(super) struct Upload(pub(super) Vec<u8>);

impl FromRequest<Shared> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Shared) -> Result<Self> {
        read(request, MAX_PICTURE_BYTES, Code::PictureTooLarge).await.map(Self)
    }
}

/// Reads a body of at most `limit` bytes. What comes beyond is read on and dropped, up to [`MAX_DROPPED`]: an answer
/// that is sent while the other side still writes is torn up by the reset that follows, and nobody learns why.
async fn read(request: Request, limit: usize, too_large: Code) -> Result<Vec<u8>> {
    let mut chunks = request.into_body().into_data_stream();
    let mut bytes = Vec::new();
    let mut dropped = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Code::Malformed)?;
        if dropped == 0 && bytes.len() + chunk.len() <= limit {
            bytes.extend_from_slice(&chunk);
        } else {
            dropped += chunk.len();
            if dropped > MAX_DROPPED {
                break;
            }
        }
    }
    if dropped > 0 { Err(too_large.into()) } else { Ok(bytes) }
}

/// The variable segment of a path. One that is not even text names nothing.
#[derive(Debug)]
pub(super) struct Segment(pub(super) String);

impl FromRequestParts<Shared> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        let Path(segment) = Path::from_request_parts(parts, app).await.map_err(|_| Code::NotFound)?;
        Ok(Self(segment))
    }
}

impl Segment {
    /// An account id; one that is none is the id of nobody.
    pub(super) fn account(&self) -> Result<AccountId> {
        self.0.parse().map_err(|_| Code::AccountUnknown.into())
    }

    /// A device id; one that is none is the id of no device.
    pub(super) fn device(&self) -> Result<DeviceId> {
        self.0.parse().map_err(|_| Code::DeviceUnknown.into())
    }
}

/// The query of a path.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        let Query(query) = Query::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::with_detail(Code::Malformed, "the query of the address"))?;
        Ok(Self(query))
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// How many entries, 1 to 200; 50 if absent.
    pub(super) limit: Option<u32>,
    /// `next` of the page before.
    pub(super) cursor: Option<String>,
}

impl PageQuery {
    /// The number of entries.
    pub(super) fn limit(&self) -> Result<u32> {
        match self.limit {
            None => Ok(PAGE_DEFAULT),
            Some(limit @ 1..=PAGE_MAX) => Ok(limit),
            Some(_) => {
                Err(ApiError::with_detail(Code::Malformed, format!("`limit` must be 1 to {PAGE_MAX}")))
            }
        }
    }

    /// The cursor of a list whose cursors are numbers.
    pub(super) fn number(&self) -> Result<Option<u64>> {
        let cursor = self.cursor.as_deref().map(str::parse).transpose();
        cursor.map_err(|_| ApiError::with_detail(Code::Malformed, "`cursor` is not one of this list"))
    }
}
