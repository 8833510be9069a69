//! What of the mailbox is handled.

use std::collections::BTreeMap;

use carillon_wire::CallId;

/// Numbers that were handled, and rings that are not: a ring that has not come to anything stays in the mailbox, so that
/// a client which is closed and opened again meanwhile rings again.
#[derive(Debug, Default)]
pub(super) struct Acks {
    highest: u64,
    acknowledged: u64,
    held: BTreeMap<u64, CallId>,
}

impl Acks {
    /// This number came.
    pub(super) fn handled(&mut self, seq: u64) {
        self.highest = self.highest.max(seq);
    }

    /// This number is a ring that the person has not decided about.
    pub(super) fn hold(&mut self, seq: u64, call: CallId) {
        self.held.insert(seq, call);
    }

    /// Lets go of the calls that have come to something, and gives them.
    pub(super) fn release(&mut self, decided: impl Fn(CallId) -> bool) -> Vec<CallId> {
        let mut released = Vec::new();
        self.held.retain(|_, call| {
            let done = decided(*call);
            if done {
                released.push(*call);
            }
            !done
        });
        released
    }

    /// What to acknowledge, if that is more than before.
    pub(super) fn due(&mut self) -> Option<u64> {
        let up_to =
            self.held.keys().next().map_or(self.highest, |first| first.saturating_sub(1).min(self.highest));
        if up_to <= self.acknowledged {
            return None;
        }
        self.acknowledged = up_to;
        Some(up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallId = CallId::new([1; 16]);

    #[test]
    fn a_ring_stays_in_the_mailbox_until_the_person_has_decided() {
        let mut acks = Acks::default();
        acks.handled(4);
        assert_eq!(acks.due(), Some(4));
        acks.handled(5);
        acks.hold(5, CALL);
        acks.handled(6);
        assert_eq!(acks.due(), None);
        assert_eq!(acks.release(|_| false), []);
        assert_eq!(acks.release(|call| call == CALL), [CALL]);
        assert_eq!(acks.due(), Some(6));
        assert_eq!(acks.due(), None);
    }
}
