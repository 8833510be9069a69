//! A call, between the socket and the store: what is checked before the store is asked, and how what it says is put.

use std::time::Duration;

use carillon_policy::arbiter::{Act, Reply};
use carillon_policy::rate::RetryAfter;
use carillon_policy::rollout::may_place_calls;
use carillon_wire::frame::{ClientFrame, RefusedReason, ServerFrame};
use carillon_wire::limits::MAX_BOX_BYTES;
use carillon_wire::{AccountId, Blob, CallId, Code, DeviceId, Millis};
use rand::random;

use crate::app::App;
use crate::store::{Created, NewCall, StoreError};

/// Who sends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
}

/// A reply, and when it goes out.
#[derive(Debug)]
pub(crate) enum Answer {
    Now(ServerFrame),
    /// This long after the request was received, however long it took to find the answer.
    After(Duration, ServerFrame),
}

/// An `error` about a call.
pub(crate) fn error(code: Code, call: CallId) -> ServerFrame {
    ServerFrame::Error {
        code,
        message: code.sentence().to_owned(),
        call: Some(call),
        retry_after: None,
        protocols: None,
    }
}

fn too_often(wait: RetryAfter, call: CallId) -> ServerFrame {
    let code = Code::RateLimited;
    let message = code.sentence().to_owned();
    ServerFrame::Error { code, message, call: Some(call), retry_after: Some(wait.0), protocols: None }
}

/// The code that a device gets when the store failed.
pub(crate) fn code_of(failure: &StoreError) -> Code {
    match failure {
        StoreError::Full => Code::StorageFull,
        StoreError::Busy => Code::Overloaded,
        StoreError::Corrupt(_) | StoreError::Database(_) | StoreError::Migration(_) | StoreError::File(_) => {
            // SQLite's messages name tables and columns, never values.
            tracing::error!(error = failure as &dyn std::error::Error, "a frame failed in the store");
            Code::Internal
        }
    }
}

/// What a caller may be told before anything about the callee is looked at; `Ok` with nothing to tell.
async fn check_caller(app: &App, new: &NewCall<'_>) -> Result<(), ServerFrame> {
    let call = new.call;
    let facts = app.metrics.timed("facts", app.store.call_facts(new.caller, new.callee)).await;
    let facts = match facts {
        Ok(Some(facts)) => facts,
        Ok(None) => return Err(error(Code::AccountUnknown, call)),
        Err(failure) => return Err(error(code_of(&failure), call)),
    };
    if facts.caller_suspended {
        return Err(error(Code::AccountSuspended, call));
    }
    if !may_place_calls(facts.rollout, new.caller, facts.facts.caller_verified) {
        return Err(error(Code::CallsNotAvailable, call));
    }
    if new.callee == new.caller {
        return Err(error(Code::CallSelf, call));
    }
    let counted = app.quotas.ring(new.caller, new.callee, call, app.clock.now());
    counted.map_err(|wait| too_often(wait, call))
}

/// Places a call. Whoever is refused, for whatever reason, gets the same frame after a delay that has nothing to do with
/// the reason.
pub(crate) async fn create(app: &App, new: NewCall<'_>) -> Answer {
    let call = new.call;
    if new.boxes.iter().any(|one| one.sealed.len() > MAX_BOX_BYTES) {
        return Answer::Now(error(Code::TooLarge, call));
    }
    if let Err(frame) = check_caller(app, &new).await {
        return Answer::Now(frame);
    }
    let (now, date) = (app.clock.now(), app.clock.wall());
    let created = app.metrics.timed("create", app.store.create_call(new, app.node, now, date)).await;
    let created = match created {
        Ok((created, aftermath)) => {
            app.follow_up(&aftermath);
            created
        }
        Err(failure) => return Answer::Now(error(code_of(&failure), call)),
    };
    match created {
        Created::Rings(expires_in) => Answer::Now(ServerFrame::Created { call, expires_in }),
        Created::Stale(devices) => Answer::Now(ServerFrame::StaleDevices { call, devices }),
        Created::IdInUse => Answer::Now(error(Code::CallExists, call)),
        Created::Refused => {
            let (shortest, longest) = app.config.timings.refusal;
            let delay = shortest + (longest - shortest).mul_f64(random::<f64>());
            let reason = RefusedReason::Unavailable;
            Answer::After(delay, ServerFrame::Refused { call, reason })
        }
    }
}

/// A frame about a call that exists, taken apart. `None` for every other frame.
pub(crate) fn act_of(frame: &ClientFrame) -> Option<(CallId, Act, Option<&Blob>)> {
    Some(match frame {
        ClientFrame::Ringing { call } => (*call, Act::Ringing, None),
        ClientFrame::Accept { call, sealed } => (*call, Act::Accept, Some(sealed)),
        ClientFrame::Decline { call, reason, scope } => {
            (*call, Act::Decline { reason: *reason, scope: *scope }, None)
        }
        ClientFrame::Cancel { call } => (*call, Act::Cancel, None),
        ClientFrame::Relay { call, to_device, seq, sealed } => {
            (*call, Act::Relay { to: *to_device, seq: *seq }, Some(sealed))
        }
        ClientFrame::End { call, reason } => (*call, Act::End { reason: *reason }, None),
        ClientFrame::Hello { .. }
        | ClientFrame::Ack { .. }
        | ClientFrame::Ping {}
        | ClientFrame::Create { .. }
        | ClientFrame::Turn {}
        | ClientFrame::Presence { .. } => return None,
    })
}

/// Does what a device asks for about a call that exists.
pub(crate) async fn act(
    app: &App,
    sender: Sender,
    call: CallId,
    act: Act,
    sealed: Option<&Blob>,
) -> ServerFrame {
    if sealed.is_some_and(|sealed| sealed.len() > MAX_BOX_BYTES) {
        return error(Code::TooLarge, call);
    }
    let now = app.clock.now();
    let acted = app.store.act(call, sender.device, act, sealed, now);
    match app.metrics.timed(operation(act), acted).await {
        Err(failure) => error(code_of(&failure), call),
        Ok((reply, aftermath)) => {
            app.follow_up(&aftermath);
            match reply {
                Reply::Done => ServerFrame::Done {},
                Reply::Accepted => ServerFrame::Accepted { call },
                Reply::Taken(kind) => ServerFrame::Taken { call, kind },
                Reply::Error(code) => error(code, call),
            }
        }
    }
}

const fn operation(act: Act) -> &'static str {
    match act {
        Act::Ringing => "ringing",
        Act::Accept => "accept",
        Act::Decline { .. } => "decline",
        Act::Cancel => "cancel",
        Act::Relay { .. } => "relay",
        Act::End { .. } => "end",
    }
}

/// Whether a `resume` is a number that a mailbox could have given out.
pub(crate) const fn is_mail_number(seq: u64) -> bool {
    seq < 1 << 53
}

/// How old a message is, and how long it goes on counting.
pub(crate) const fn spans(mail: &crate::store::Mail, now: carillon_wire::UnixMillis) -> (Millis, Millis) {
    (now.since(mail.queued_at), mail.expires_at.since(now))
}
