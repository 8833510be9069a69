//! What handlers take out of a request. Whatever can't be read is answered with a code of ours.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use carillon_policy::rate::Network;
use carillon_wire::limits::{PAGE_DEFAULT, PAGE_MAX};
use carillon_wire::{AccountId, Bytes32, Code, DeviceId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::error::{ApiError, Result};
use crate::app::{ClientAddress, Shared};

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

    async fn from_request(request: Request, app: &Shared) -> Result<Self> {
        let Raw(bytes) = Raw::from_request(request, app).await?;
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

/// A body as bytes, no longer than its route takes.
#[derive(Debug)]
pub(super) struct Raw(pub(super) Bytes);

impl FromRequest<Shared> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Shared) -> Result<Self> {
        Bytes::from_request(request, app).await.map(Self).map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(cause) if cause.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Code::TooLarge.into()
            }
            _ => Code::Malformed.into(),
        })
    }
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
