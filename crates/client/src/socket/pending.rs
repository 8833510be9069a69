//! Requests that the server has not answered yet.

use std::collections::BTreeMap;

use carillon_wire::Code;
use carillon_wire::frame::{ClientFrame, Numbered, Ref, ServerFrame};
use tokio::time::Instant;

/// Requests by number, oldest first. Each is sent once on every line until its answer comes.
#[derive(Debug, Default)]
pub(super) struct Pending {
    requests: BTreeMap<Ref, Entry>,
    last: Ref,
}

#[derive(Debug)]
struct Entry {
    frame: ClientFrame,
    /// When it went out on this line.
    sent: Option<Instant>,
}

impl Pending {
    /// Takes in a request. One that ends a call makes those before it about the same call pointless: after a long
    /// time offline nothing may ring that was given up meanwhile.
    pub(super) fn add(&mut self, frame: ClientFrame) {
        match &frame {
            ClientFrame::Cancel { call }
            | ClientFrame::End { call, .. }
            | ClientFrame::Decline { call, .. } => {
                let over = *call;
                self.requests.retain(|_, entry| call_of(&entry.frame) != Some(over));
            }
            ClientFrame::Presence { .. } => {
                self.requests.retain(|_, entry| !matches!(entry.frame, ClientFrame::Presence { .. }));
            }
            ClientFrame::Hello { .. }
            | ClientFrame::Ack { .. }
            | ClientFrame::Ping {}
            | ClientFrame::Create { .. }
            | ClientFrame::Ringing { .. }
            | ClientFrame::Accept { .. }
            | ClientFrame::Relay { .. }
            | ClientFrame::Turn {} => {}
        }
        // Asked again while the answer is due: the same frame goes out once more, under its number.
        if let Some(entry) = self.requests.values_mut().find(|entry| entry.frame == frame) {
            entry.sent = None;
            return;
        }
        self.last += 1;
        self.requests.insert(self.last, Entry { frame, sent: None });
    }

    /// The next one to be sent on this line.
    pub(super) fn next(&mut self) -> Option<Numbered<ClientFrame>> {
        let (reference, entry) = self.requests.iter_mut().find(|(_, entry)| entry.sent.is_none())?;
        entry.sent = Some(Instant::now());
        Some(Numbered::new(*reference, entry.frame.clone()))
    }

    /// There is a new line: everything is sent again.
    pub(super) fn repeat(&mut self) {
        for entry in self.requests.values_mut() {
            entry.sent = None;
        }
    }

    /// The request that this frame answers. A server that restarts has not answered.
    pub(super) fn take(&mut self, reference: Ref, answer: &ServerFrame) -> Option<ClientFrame> {
        if matches!(answer, ServerFrame::Error { code: Code::Restarting, .. }) {
            return None;
        }
        self.requests.remove(&reference).map(|entry| entry.frame)
    }

    /// Since when the oldest request on this line waits.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.requests.values().filter_map(|entry| entry.sent).min()
    }
}

const fn call_of(frame: &ClientFrame) -> Option<carillon_wire::CallId> {
    match frame {
        ClientFrame::Create { call, .. }
        | ClientFrame::Ringing { call }
        | ClientFrame::Accept { call, .. }
        | ClientFrame::Decline { call, .. }
        | ClientFrame::Cancel { call }
        | ClientFrame::Relay { call, .. }
        | ClientFrame::End { call, .. } => Some(*call),
        ClientFrame::Hello { .. }
        | ClientFrame::Ack { .. }
        | ClientFrame::Ping {}
        | ClientFrame::Turn {}
        | ClientFrame::Presence { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use carillon_wire::frame::{EndReason, Media};
    use carillon_wire::{AccountId, CallId, Millis};

    use super::*;

    const CALL: CallId = CallId::new([1; 16]);
    const OTHER: CallId = CallId::new([2; 16]);

    fn create(call: CallId) -> ClientFrame {
        ClientFrame::Create {
            call,
            callee: AccountId::new([7; 16]),
            media: Media::Audio,
            expires_in: Millis::from_secs(60),
            boxes: Vec::new(),
        }
    }

    fn drain(pending: &mut Pending) -> Vec<ClientFrame> {
        std::iter::from_fn(|| pending.next()).map(|numbered| numbered.frame).collect()
    }

    #[tokio::test]
    async fn what_was_not_answered_is_sent_again_in_order_and_under_its_number() {
        let mut pending = Pending::default();
        pending.add(create(CALL));
        pending.add(create(OTHER));
        let first = pending.next().unwrap();
        assert_eq!(drain(&mut pending), [create(OTHER)]);
        assert_eq!(drain(&mut pending), []);

        pending.repeat();
        assert_eq!(pending.next(), Some(first.clone()));
        assert_eq!(pending.take(first.reference.unwrap(), &ServerFrame::Done {}), Some(create(CALL)));
        pending.repeat();
        assert_eq!(drain(&mut pending), [create(OTHER)]);
    }

    #[tokio::test]
    async fn a_call_given_up_offline_never_rings_later() {
        let mut pending = Pending::default();
        pending.add(create(CALL));
        pending.add(create(OTHER));
        pending.add(ClientFrame::Cancel { call: CALL });
        assert_eq!(drain(&mut pending), [create(OTHER), ClientFrame::Cancel { call: CALL }]);
        pending.add(ClientFrame::End { call: CALL, reason: EndReason::HungUp });
        pending.repeat();
        let end = ClientFrame::End { call: CALL, reason: EndReason::HungUp };
        assert_eq!(drain(&mut pending), [create(OTHER), end]);
    }

    #[tokio::test]
    async fn what_is_asked_twice_is_one_request() {
        let mut pending = Pending::default();
        pending.add(create(CALL));
        let first = pending.next();
        pending.add(create(CALL));
        assert_eq!(pending.next(), first);
        assert_eq!(pending.next(), None);
    }

    #[tokio::test]
    async fn a_server_that_restarts_has_not_answered() {
        let mut pending = Pending::default();
        pending.add(create(CALL));
        let reference = pending.next().unwrap().reference.unwrap();
        assert_eq!(pending.take(reference, &ServerFrame::error(Code::Restarting)), None);
        pending.repeat();
        assert_eq!(drain(&mut pending), [create(CALL)]);
    }
}
