//! Devices: the own ones, and what a caller needs of others'.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use carillon_e2e::verify_certificate;
use carillon_wire::Code;
use carillon_wire::frame::Topic;
use carillon_wire::rest::{Device, DeviceKeys};
use carillon_wire::signed::Signed;

use super::error::{ApiError, Result};
use super::extract::{Body, Changing, Segment, SignedIn};
use super::sign_in::certificate_code;
use super::{Errors, TAG_DEVICES};
use crate::app::Shared;
use crate::effects::{connected, kick, tell};
use crate::store::Renewed;

/// The own devices.
#[utoipa::path(get, path = "/v1/devices", tag = TAG_DEVICES, security(("token" = [])),
    responses((status = 200, body = Vec<Device>), Errors))]
pub(super) async fn list(State(app): State<Shared>, me: SignedIn) -> Result<Json<Vec<Device>>> {
    let online: HashSet<_> = connected(&app, me.account).await?.into_iter().collect();
    let devices = app.store.own_devices(me.account).await?;
    let shown = devices.into_iter().map(|device| Device {
        device: device.device,
        name: device.name,
        this: device.device == me.device,
        online: online.contains(&device.device),
        added_at: device.added_at,
        last_seen: device.last_seen_day,
    });
    Ok(Json(shown.collect()))
}

/// Renews the certificate of the device that asks. Its `seq` must be higher than the one before.
#[utoipa::path(put, path = "/v1/devices/current/certificate", tag = TAG_DEVICES, security(("token" = [])),
    request_body = Signed, responses((status = 204), Errors))]
pub(super) async fn renew(
    State(app): State<Shared>,
    Changing(me): Changing,
    Body(certificate): Body<Signed>,
) -> Result<StatusCode> {
    let account = app.store.account(me.account).await?.ok_or(Code::AccountUnknown)?;
    let verified =
        verify_certificate(&account.account_key, &certificate, app.clock.wall()).map_err(certificate_code)?;
    if verified.device() != me.device {
        return Err(ApiError::with_detail(Code::BadCertificate, "it is for another device"));
    }
    match app.store.renew_certificate(me.device, &certificate, verified.seq()).await? {
        Renewed::Done => Ok(StatusCode::NO_CONTENT),
        Renewed::Stale => Err(ApiError::with_detail(Code::BadCertificate, "its `seq` is not higher")),
        Renewed::Unknown => Err(Code::DeviceRevoked.into()),
    }
}

/// Removes one of the own devices. Its connection and tokens end at once, and it can't come back with its key.
#[utoipa::path(delete, path = "/v1/devices/{device}", tag = TAG_DEVICES, security(("token" = [])),
    params(("device" = String, Path, description = "A device id.")), responses((status = 204), Errors))]
pub(super) async fn revoke(
    State(app): State<Shared>,
    Changing(me): Changing,
    device: Segment,
) -> Result<StatusCode> {
    let device = device.device()?;
    let revoked = app.store.revoke_device(me.account, device, app.clock.now()).await?;
    app.follow_up(&revoked.ok_or(Code::DeviceUnknown)?);
    kick(&app, device).await;
    tell(&app, me.account, &[Topic::Devices]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// What a caller needs to seal offers: the same for every caller, permitted or not.
#[utoipa::path(get, path = "/v1/accounts/{account}/devices", tag = TAG_DEVICES, security(("token" = [])),
    params(("account" = String, Path, description = "An account id.")),
    responses((status = 200, body = DeviceKeys), Errors))]
pub(super) async fn keys(
    State(app): State<Shared>,
    me: SignedIn,
    account: Segment,
) -> Result<Json<DeviceKeys>> {
    app.quotas.key_fetches.check(&me.account, app.clock.now())?;
    let keys = app.store.device_keys(account.account()?).await?;
    Ok(Json(keys.ok_or(Code::AccountUnknown)?))
}
