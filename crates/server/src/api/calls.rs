//! Who may call, and the calls that reached nobody.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use carillon_wire::Code;
use carillon_wire::frame::Topic;
use carillon_wire::rest::{CallSettings, CallSettingsChange, MissedCall, MissedKind, Page};
use serde::Deserialize;

use super::error::Result;
use super::extract::{Body, Changing, PageQuery, Params, Segment, SignedIn};
use super::{Errors, TAG_CALLS};
use crate::app::Shared;
use crate::effects::{recheck, tell};

/// Who may call.
#[utoipa::path(get, path = "/v1/settings/calls", tag = TAG_CALLS, security(("token" = [])),
    responses((status = 200, body = CallSettings), Errors))]
pub(super) async fn settings(State(app): State<Shared>, me: SignedIn) -> Result<Json<CallSettings>> {
    Ok(Json(app.store.call_settings(me.account).await?.ok_or(Code::AccountUnknown)?))
}

/// Changes who may call. A missing field stays as it is. Calls that ring at this moment and would now be refused end.
#[utoipa::path(patch, path = "/v1/settings/calls", tag = TAG_CALLS, security(("token" = [])),
    request_body = CallSettingsChange, responses((status = 200, body = CallSettings), Errors))]
pub(super) async fn change_settings(
    State(app): State<Shared>,
    Changing(me): Changing,
    Body(change): Body<CallSettingsChange>,
) -> Result<Json<CallSettings>> {
    let settings = app.store.change_call_settings(me.account, change).await?.ok_or(Code::AccountUnknown)?;
    recheck(&app, me.account).await;
    tell(&app, me.account, &[Topic::Settings]).await;
    Ok(Json(settings))
}

/// Which part of a list of calls.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// Only entries with a greater id.
    after: Option<u64>,
    /// How many entries, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

async fn list(app: &Shared, me: SignedIn, kind: MissedKind, since: Since) -> Result<Json<Page<MissedCall>>> {
    let query = PageQuery { limit: since.limit, cursor: since.cursor };
    let (limit, cursor) = (query.limit()?, query.number()?);
    let after = since.after.max(cursor).unwrap_or_default();
    let mut items = app.store.missed_calls(me.account, kind, after, limit + 1).await?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(Page { items, next }))
}

/// Calls that were allowed to ring and that nobody answered, oldest first.
#[utoipa::path(get, path = "/v1/calls/missed", tag = TAG_CALLS, security(("token" = [])), params(Since),
    responses((status = 200, body = Page<MissedCall>), Errors))]
pub(super) async fn missed(
    State(app): State<Shared>,
    me: SignedIn,
    Params(since): Params<Since>,
) -> Result<Json<Page<MissedCall>>> {
    list(&app, me, MissedKind::Missed, since).await
}

/// Calls that the settings did not let ring, oldest first.
#[utoipa::path(get, path = "/v1/calls/filtered", tag = TAG_CALLS, security(("token" = [])), params(Since),
    responses((status = 200, body = Page<MissedCall>), Errors))]
pub(super) async fn filtered(
    State(app): State<Shared>,
    me: SignedIn,
    Params(since): Params<Since>,
) -> Result<Json<Page<MissedCall>>> {
    list(&app, me, MissedKind::Filtered, since).await
}

/// Takes an entry off either list.
#[utoipa::path(delete, path = "/v1/calls/missed/{id}", tag = TAG_CALLS, security(("token" = [])),
    params(("id" = u64, Path, description = "The entry's id.")), responses((status = 204), Errors))]
pub(super) async fn forget(
    State(app): State<Shared>,
    Changing(me): Changing,
    id: Segment,
) -> Result<StatusCode> {
    let id = id.0.parse().map_err(|_| Code::NotFound)?;
    app.store.forget_missed(me.account, id).await?;
    tell(&app, me.account, &[Topic::Missed]).await;
    Ok(StatusCode::NO_CONTENT)
}
