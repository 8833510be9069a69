//! Challenges, signing up, signing in and out, further devices.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use carillon_e2e::challenge::{Challenge as Signing, Purpose};
use carillon_e2e::{CertificateError, VerifiedDevice, verify_credentials};
use carillon_policy::handle::skeleton;
use carillon_wire::frame::Topic;
use carillon_wire::limits::{CHALLENGE_TTL, TOKEN_TTL};
use carillon_wire::rest::{Challenge, NewDevice, ServerInfo, Session, SignIn, SignUp, SignUpMode};
use carillon_wire::{Bytes32, Code, DeviceId, PROTOCOLS_SERVED, Signature, bytes};
use rand::random;

use super::error::Result;
use super::extract::{Body, From, SignedIn, hashed};
use super::profile::me;
use super::{Errors, TAG_SIGN_IN, names};
use crate::app::{App, Shared};
use crate::effects::tell;
use crate::store::{DeviceAdded, DeviceEntry, SessionEntry, SignUpEntry, SignedUp};

/// What a client needs to know before it signs up.
#[utoipa::path(get, path = "/v1/server", tag = TAG_SIGN_IN, responses((status = 200, body = ServerInfo)))]
pub(super) async fn server(State(app): State<Shared>) -> Json<ServerInfo> {
    Json(ServerInfo {
        protocols: PROTOCOLS_SERVED.to_vec(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sign_up: app.config.sign_up,
        issuer_key: app.issuer.public(),
    })
}

/// Something to sign, once.
#[utoipa::path(post, path = "/v1/challenges", tag = TAG_SIGN_IN,
    responses((status = 200, body = Challenge), Errors))]
pub(super) async fn challenge(State(app): State<Shared>, From(network): From) -> Result<Json<Challenge>> {
    let now = app.clock.now();
    app.quotas.sign_ins.check(&network, now)?;
    let nonce = app.challenges.give(random(), now);
    Ok(Json(Challenge { nonce, expires_in: CHALLENGE_TTL }))
}

/// Makes an account with its first device.
#[utoipa::path(post, path = "/v1/accounts", tag = TAG_SIGN_IN, request_body = SignUp,
    responses((status = 200, body = Session), Errors))]
pub(super) async fn sign_up(
    State(app): State<Shared>,
    From(network): From,
    headers: HeaderMap,
    Body(request): Body<SignUp>,
) -> Result<Json<Session>> {
    app.quotas.sign_ins.check(&network, app.clock.now())?;
    let invitation = match app.config.sign_up {
        SignUpMode::Closed => return Err(Code::SignUpClosed.into()),
        SignUpMode::Invitation => Some(request.invitation.as_deref().ok_or(Code::InvitationInvalid)?),
        SignUpMode::Open => None,
    };
    let handle = names::handle(&request.handle)?;
    let name = match &request.name {
        Some(name) => names::display(name)?,
        None => handle.as_str().to_owned(),
    };
    let (verified, device) = proved(&app, &headers, &request.device)?;
    let (token, session) = new_session(&request.device.nonce);
    let entry = SignUpEntry {
        account: verified.account(),
        skeleton: skeleton(&handle),
        handle,
        name,
        account_key: verified.account_key(),
        invitation: invitation.map(|code| hashed(code.trim())),
        device,
        session,
    };
    // Somebody who looks for a handle that is free does not use up the sign-ups of their network.
    if let Some(refusal) = app.store.sign_up_refusal(&entry).await? {
        signed_up(refusal)?;
    }
    app.quotas.sign_ups.check(&network, app.clock.now())?;
    signed_up(app.store.sign_up(&entry, app.clock.now()).await?)?;
    answer(&app, entry.account, entry.device.device, token).await
}

fn signed_up(outcome: SignedUp) -> Result<()> {
    Err(match outcome {
        SignedUp::Done => return Ok(()),
        SignedUp::HandleTaken => Code::HandleTaken,
        SignedUp::HandleConfusable => Code::HandleConfusable,
        SignedUp::AccountExists => Code::AccountExists,
        SignedUp::DeviceExists => Code::BadCertificate,
        SignedUp::InvitationInvalid => Code::InvitationInvalid,
        SignedUp::ChallengeUsed => Code::ChallengeExpired,
    }
    .into())
}

/// Signs a device in.
#[utoipa::path(post, path = "/v1/sessions", tag = TAG_SIGN_IN, request_body = SignIn,
    responses((status = 200, body = Session), Errors))]
pub(super) async fn sign_in(
    State(app): State<Shared>,
    From(network): From,
    headers: HeaderMap,
    Body(request): Body<SignIn>,
) -> Result<Json<Session>> {
    let now = app.clock.now();
    app.quotas.sign_ins.check(&network, now)?;
    let SignIn { device, nonce, signature } = request;
    if !app.challenges.is_current(&nonce, now) {
        return Err(Code::ChallengeExpired.into());
    }
    let identity = app.store.device_identity(device).await?.ok_or(Code::DeviceUnknown)?;
    verify(&app, &headers, device, &identity.device_key, &nonce, &signature)?;
    // Only the device itself learns what became of it.
    if identity.revoked {
        return Err(Code::DeviceRevoked.into());
    }
    if identity.suspended {
        return Err(Code::AccountSuspended.into());
    }
    let (token, session) = new_session(&nonce);
    if !app.store.sign_in(device, &session, now).await? {
        return Err(Code::ChallengeExpired.into());
    }
    answer(&app, identity.account, device, token).await
}

/// Ends the session of the token.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = TAG_SIGN_IN, security(("token" = [])),
    responses((status = 204), Errors))]
pub(super) async fn sign_out(State(app): State<Shared>, me: SignedIn) -> Result<StatusCode> {
    app.store.sign_out(&me.token_hash).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a further device, proved by a certificate of the account key, and signs it in.
#[utoipa::path(post, path = "/v1/devices", tag = TAG_SIGN_IN, request_body = NewDevice,
    responses((status = 200, body = Session), Errors))]
pub(super) async fn add_device(
    State(app): State<Shared>,
    From(network): From,
    headers: HeaderMap,
    Body(request): Body<NewDevice>,
) -> Result<Json<Session>> {
    let now = app.clock.now();
    app.quotas.sign_ins.check(&network, now)?;
    let (verified, device) = proved(&app, &headers, &request)?;
    let (token, session) = new_session(&request.nonce);
    let account = verified.account();
    match app.store.add_device(account, &device, &session, now).await? {
        DeviceAdded::Added => tell(&app, account, &[Topic::Devices]).await,
        DeviceAdded::Known => {}
        DeviceAdded::AccountUnknown => return Err(Code::AccountUnknown.into()),
        DeviceAdded::Suspended => return Err(Code::AccountSuspended.into()),
        DeviceAdded::Revoked => return Err(Code::DeviceRevoked.into()),
        DeviceAdded::DeviceExists => return Err(Code::BadCertificate.into()),
        DeviceAdded::TooMany => return Err(Code::TooManyDevices.into()),
        DeviceAdded::ChallengeUsed => return Err(Code::ChallengeExpired.into()),
    }
    answer(&app, account, device.device, token).await
}

/// Checks all that a new device shows of itself, so that what comes out can be stored.
fn proved(app: &App, headers: &HeaderMap, request: &NewDevice) -> Result<(VerifiedDevice, DeviceEntry)> {
    let name = names::device(&request.device_name)?;
    if !app.challenges.is_current(&request.nonce, app.clock.now()) {
        return Err(Code::ChallengeExpired.into());
    }
    let verified = verify_credentials(&request.credentials, app.clock.wall()).map_err(certificate_code)?;
    verify(app, headers, verified.device(), &verified.device_key(), &request.nonce, &request.signature)?;
    let device = DeviceEntry {
        device: verified.device(),
        device_key: verified.device_key(),
        name,
        certificate: request.credentials.certificate.clone(),
        seq: verified.seq(),
    };
    Ok((verified, device))
}

/// The code for a certificate that does not count.
pub(super) const fn certificate_code(error: CertificateError) -> Code {
    match error {
        CertificateError::Expired => Code::CertificateExpired,
        CertificateError::Signature
        | CertificateError::Malformed
        | CertificateError::OtherAccount
        | CertificateError::OtherDevice
        | CertificateError::Lifetime
        | CertificateError::NotYetValid
        | CertificateError::OldSeq => Code::BadCertificate,
    }
}

fn verify(
    app: &App,
    headers: &HeaderMap,
    device: DeviceId,
    device_key: &Bytes32,
    nonce: &Bytes32,
    signature: &Signature,
) -> Result<()> {
    let audience = app.audience(headers).ok_or(Code::BadSignature)?;
    let fits = PROTOCOLS_SERVED.iter().any(|&protocol| {
        let signing = Signing { purpose: Purpose::Session, nonce, device, protocol, audience: &audience };
        signing.verify(device_key, signature).is_ok()
    });
    if fits { Ok(()) } else { Err(Code::BadSignature.into()) }
}

/// A token, and what is stored of it.
fn new_session(nonce: &Bytes32) -> (String, SessionEntry) {
    let token = bytes::encode(&random::<[u8; 32]>());
    let session = SessionEntry { token_hash: hashed(&token), nonce: *nonce };
    (token, session)
}

async fn answer(
    app: &App,
    account: carillon_wire::AccountId,
    device: DeviceId,
    token: String,
) -> Result<Json<Session>> {
    Ok(Json(Session { token, expires_in: TOKEN_TTL, me: me(app, account, device).await? }))
}
