//! How a call ends, and what is kept of it.

use std::time::Instant;

use carillon_wire::frame::{EndReason, TakenKind};
use carillon_wire::payload::{HangUpReason, Payload};

use super::{Alert, Call, Link};
use crate::output::{Command, Outcome, Output, Record, Role};
use crate::state::State;
use crate::view::{Side, Why};

impl Call {
    /// Ends the call on this device. The only way into [`State::Ended`].
    pub(super) fn end(&mut self, now: Instant, why: Why) {
        if !self.state.is_live() {
            return;
        }
        let record = self.record(now, why);
        self.state = State::Ended;
        self.why = Some(why);
        self.timers.stop_all();
        self.stop_tone();
        self.close_peer();
        // Nothing of the link is asked for again but whether an offer had left.
        self.link = Link::default();
        self.show();
        self.outputs.extend(record.map(Output::Record));
    }

    /// Ends an accepted call and tells the other side, by the data channel or the relay, and the server.
    pub(super) fn leave(&mut self, now: Instant, why: Why, sealed: HangUpReason, open: EndReason) {
        self.send_payload(Payload::HangUp { reason: sealed });
        self.send(Command::End { reason: open });
        self.end(now, why);
    }

    /// The other end is not who it should be: close first, so that not a sample is played, then say so.
    pub(super) fn end_insecure(&mut self, now: Instant) {
        self.close_peer();
        match self.state {
            State::Offering | State::Ringing => {
                self.cancel();
                self.send(Command::End { reason: EndReason::Security });
            }
            State::Alerting => {}
            State::Accepting => {
                self.withdraw_accept(EndReason::Security, carillon_wire::frame::DeclineScope::Device);
            }
            State::Connecting | State::Connected | State::Reconnecting => {
                self.relay(Payload::HangUp { reason: HangUpReason::Security });
                self.send(Command::End { reason: EndReason::Security });
            }
            State::Ended => {}
        }
        self.end(now, Why::Security);
    }

    fn record(&self, now: Instant, why: Why) -> Option<Record> {
        let outcome = self.outcome(why)?;
        Some(Record {
            account: self.account,
            direction: self.direction(),
            media: self.media,
            outcome,
            why,
            began: now.saturating_duration_since(self.began),
            talked: self.connected_at.map(|since| now.saturating_duration_since(since)),
        })
    }

    /// What goes into the list of recent calls; `None` for a call that another one stands for.
    fn outcome(&self, why: Why) -> Option<Outcome> {
        if self.connected_at.is_some() {
            return Some(Outcome::Talked);
        }
        let unanswered = match (self.role, self.alert) {
            (Role::Caller, _) => Outcome::Unanswered,
            (Role::Callee, Alert::Silent) => Outcome::Filtered,
            (Role::Callee, Alert::Full | Alert::Waiting | Alert::Held) => Outcome::Missed,
        };
        match why {
            Why::Glare | Why::Replaced => None,
            // Kept back behind the own call to the same account, which tells the story.
            Why::Cancelled | Why::NoAnswer | Why::CallerLost | Why::Unavailable
                if self.alert == Alert::Held =>
            {
                None
            }
            Why::InCall => match self.role {
                Role::Caller => None,
                Role::Callee => Some(unanswered),
            },
            Why::Declined | Why::DeclinedElsewhere => match unanswered {
                Outcome::Missed => Some(Outcome::Declined),
                Outcome::Talked
                | Outcome::Unanswered
                | Outcome::Declined
                | Outcome::AnsweredElsewhere
                | Outcome::Filtered
                | Outcome::Failed => Some(unanswered),
            },
            Why::Busy | Why::Cancelled | Why::NoAnswer | Why::Unavailable | Why::CallerLost | Why::Over => {
                Some(unanswered)
            }
            Why::AnsweredElsewhere => Some(Outcome::AnsweredElsewhere),
            Why::HungUp(_)
            | Why::NoServer
            | Why::Failed(_)
            | Why::Transport
            | Why::Security
            | Why::NoRoute
            | Why::Lost => Some(Outcome::Failed),
        }
    }
}

/// What the server's reason for an end means here.
pub(super) const fn why_ended(reason: EndReason, accepted: bool) -> Why {
    match reason {
        EndReason::Declined => Why::Declined,
        EndReason::Busy => Why::Busy,
        // A `cancel` that crossed the accept ends the call like a hang-up.
        EndReason::Cancelled if accepted => Why::HungUp(Side::There),
        EndReason::Cancelled => Why::Cancelled,
        EndReason::Expired => Why::NoAnswer,
        EndReason::HungUp => Why::HungUp(Side::There),
        EndReason::Unavailable => Why::Unavailable,
        EndReason::CallerLost => Why::CallerLost,
        EndReason::Security => Why::Security,
        EndReason::NoRoute => Why::NoRoute,
        EndReason::Lost => Why::Lost,
        EndReason::Replaced => Why::Replaced,
        EndReason::Other => Why::Over,
    }
}

/// Whether the server can say this of a call that was accepted. Other reasons are old news: they are about the ring.
pub(super) const fn ends_accepted(reason: EndReason) -> bool {
    match reason {
        EndReason::Cancelled
        | EndReason::HungUp
        | EndReason::Security
        | EndReason::NoRoute
        | EndReason::Lost
        | EndReason::Replaced
        | EndReason::Other => true,
        EndReason::Declined
        | EndReason::Busy
        | EndReason::Expired
        | EndReason::Unavailable
        | EndReason::CallerLost => false,
    }
}

/// What it means that another took the call.
pub(super) const fn why_taken(kind: TakenKind) -> Why {
    match kind {
        TakenKind::Answered => Why::AnsweredElsewhere,
        TakenKind::Declined => Why::DeclinedElsewhere,
        TakenKind::Over | TakenKind::Other => Why::Over,
    }
}

/// What the other side's hang-up means here.
pub(super) const fn why_hung_up(reason: HangUpReason) -> Why {
    match reason {
        HangUpReason::HungUp | HangUpReason::Other => Why::HungUp(Side::There),
        HangUpReason::Security => Why::Security,
        HangUpReason::NoRoute => Why::NoRoute,
        HangUpReason::Lost => Why::Lost,
        HangUpReason::Replaced => Why::Replaced,
    }
}
