//! The own account: name, picture, badge, what the roll-out lets it do.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use carillon_policy::rollout::may_place_calls;
use carillon_wire::frame::Topic;
use carillon_wire::rest::{Abilities, Me, Profile, ProfileChange};
use carillon_wire::{AccountId, Bytes32, Code, DeviceId, Millis};
use sha2::{Digest as _, Sha256};

use super::error::Result;
use super::extract::{Body, Changing, Segment, SignedIn, Upload};
use super::{Errors, TAG_ME, names};
use crate::app::{App, Shared};
use crate::effects::tell;
use crate::picture::{PictureError, normalise};

/// How long a badge counts. Every fetch of the own account brings a fresh one, so this is how long one that the
/// operator took back goes on counting.
const BADGE_TTL: Millis = Millis::from_secs(7 * 24 * 3600);

/// The own account as it stands.
pub(super) async fn me(app: &App, account: AccountId, device: DeviceId) -> Result<Me> {
    let stored = app.store.account(account).await?.ok_or(Code::AccountUnknown)?;
    let badge = if stored.profile.verified {
        let now = app.clock.wall();
        let badge = app.issuer.issue(account, &stored.profile.handle, now, now.after(BADGE_TTL));
        Some(badge.map_err(|_| Code::Internal)?)
    } else {
        None
    };
    Ok(Me { profile: stored.profile, device, badge, created_at: stored.created_at })
}

async fn own_profile(app: &App, account: AccountId) -> Result<Profile> {
    Ok(app.store.account(account).await?.ok_or(Code::AccountUnknown)?.profile)
}

/// The own account.
#[utoipa::path(get, path = "/v1/me", tag = TAG_ME, security(("token" = [])),
    responses((status = 200, body = Me), Errors))]
pub(super) async fn get_me(State(app): State<Shared>, caller: SignedIn) -> Result<Json<Me>> {
    me(&app, caller.account, caller.device).await.map(Json)
}

/// Changes the own account. A missing field stays as it is.
#[utoipa::path(patch, path = "/v1/me", tag = TAG_ME, security(("token" = [])), request_body = ProfileChange,
    responses((status = 200, body = Me), Errors))]
pub(super) async fn patch_me(
    State(app): State<Shared>,
    Changing(caller): Changing,
    Body(change): Body<ProfileChange>,
) -> Result<Json<Me>> {
    if let Some(name) = &change.name {
        app.store.rename(caller.account, &names::display(name)?).await?;
        tell(&app, caller.account, &[Topic::Profile]).await;
    }
    me(&app, caller.account, caller.device).await.map(Json)
}

/// Gives the own account a picture: its middle, upright, without anything but its pixels.
#[utoipa::path(put, path = "/v1/me/picture", tag = TAG_ME, security(("token" = [])),
    request_body(content(("image/png"), ("image/jpeg"), ("image/webp")), description = "At most 2 MiB."),
    responses((status = 200, body = Profile), Errors))]
pub(super) async fn put_picture(
    State(app): State<Shared>,
    Changing(caller): Changing,
    Upload(upload): Upload,
) -> Result<Json<Profile>> {
    let permit = app.pictures.acquire().await.map_err(|_| Code::Restarting)?;
    let jpeg = tokio::task::spawn_blocking(move || normalise(&upload))
        .await
        .map_err(|_| Code::PictureInvalid)?
        .map_err(|error| match error {
            PictureError::Invalid => Code::PictureInvalid,
            PictureError::TooLarge => Code::PictureTooLarge,
        })?;
    drop(permit);
    let hash = Bytes32::from(<[u8; 32]>::from(Sha256::digest(&jpeg)));
    app.store.set_picture(caller.account, Some((&hash, &jpeg))).await?;
    tell(&app, caller.account, &[Topic::Profile]).await;
    own_profile(&app, caller.account).await.map(Json)
}

/// Takes the own account's picture away.
#[utoipa::path(delete, path = "/v1/me/picture", tag = TAG_ME, security(("token" = [])),
    responses((status = 200, body = Profile), Errors))]
pub(super) async fn delete_picture(
    State(app): State<Shared>,
    Changing(caller): Changing,
) -> Result<Json<Profile>> {
    app.store.set_picture(caller.account, None).await?;
    tell(&app, caller.account, &[Topic::Profile]).await;
    own_profile(&app, caller.account).await.map(Json)
}

/// Somebody's picture. What is under a path never changes.
#[utoipa::path(get, path = "/v1/pictures/{hash}", tag = TAG_ME, security(("token" = [])),
    params(("hash" = String, Path, description = "As it stands in a profile's `picture`.")),
    responses((status = 200, content_type = "image/jpeg", body = [u8]), Errors))]
pub(super) async fn picture(State(app): State<Shared>, _: SignedIn, hash: Segment) -> Result<Response> {
    let hash = Bytes32::parse(&hash.0).map_err(|_| Code::NotFound)?;
    let jpeg = app.store.picture(&hash).await?.ok_or(Code::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((StatusCode::OK, headers, jpeg.0).into_response())
}

/// What the roll-out lets the own account do.
#[utoipa::path(get, path = "/v1/abilities", tag = TAG_ME, security(("token" = [])),
    responses((status = 200, body = Abilities), Errors))]
pub(super) async fn abilities(State(app): State<Shared>, caller: SignedIn) -> Result<Json<Abilities>> {
    let profile = own_profile(&app, caller.account).await?;
    let rollout = app.store.rollout().await?;
    Ok(Json(Abilities { place_calls: may_place_calls(rollout, caller.account, profile.verified) }))
}
