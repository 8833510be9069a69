//! What the calls of this device want of its sound.

use carillon_call::{CallView, Phase};
use carillon_wire::CallId;

use crate::dto::Tone;

/// What the sound has to do for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// Which.
    pub(crate) call: CallId,
    /// Sound flows both ways: the two talk.
    pub(crate) flows: bool,
    /// The own microphone is heard at the other end.
    pub(crate) microphone: bool,
}

/// What the sound has to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Demand {
    /// The call that has the devices: one that is accepted, at most one.
    pub(crate) line: Option<Line>,
    /// A tone for this call.
    pub(crate) tone: Option<(CallId, Tone)>,
    /// The microphone is to be warm: somebody is about to be connected.
    pub(crate) warm: bool,
}

impl Demand {
    /// The demand of these calls.
    pub(crate) fn of<'a>(views: impl Iterator<Item = &'a CallView>, tone: Option<(CallId, Tone)>) -> Self {
        let mut demand = Self { tone, ..Self::default() };
        for view in views {
            let line = |flows| Line { call: view.call, flows, microphone: view.local.audio };
            match view.phase {
                Phase::Connected => demand.line = Some(line(true)),
                // One that is up goes before one that is coming up.
                Phase::Connecting | Phase::Reconnecting => {
                    demand.line.get_or_insert_with(|| line(false));
                }
                // The caller hears the ringback tone, so the speaker is in use; the microphone takes a moment to start.
                Phase::Calling | Phase::Ringing => demand.warm = true,
                // A microphone that opens before its person has answered would be a spy.
                Phase::Incoming { .. } | Phase::Ended(_) => {}
            }
        }
        demand
    }

    /// The microphone is to be open.
    pub(crate) const fn needs_microphone(&self) -> bool {
        self.line.is_some() || self.warm
    }

    /// The speaker is to be open.
    pub(crate) const fn needs_speaker(&self) -> bool {
        self.needs_microphone() || self.tone.is_some()
    }
}

#[cfg(test)]
mod tests {
    use carillon_call::{Direction, MediaOn, Why};
    use carillon_wire::AccountId;
    use carillon_wire::frame::Media;

    use super::*;

    fn view(call: u8, phase: Phase) -> CallView {
        CallView {
            call: CallId::new([call; 16]),
            account: AccountId::new([9; 16]),
            device: None,
            direction: Direction::Outgoing,
            media: Media::Audio,
            phase,
            local: MediaOn::of(Media::Audio),
            camera_fails: false,
            remote: None,
            connected_since: None,
            safety_ready: false,
            online: true,
        }
    }

    #[test]
    fn the_microphone_opens_when_one_calls_and_not_when_one_is_called() {
        let demand = |phase| Demand::of([view(1, phase)].iter(), None);
        assert!(demand(Phase::Ringing).needs_microphone());
        assert!(!demand(Phase::Incoming { waiting: false }).needs_microphone());
        assert!(demand(Phase::Connecting).needs_microphone());
        assert!(!demand(Phase::Ended(Why::Declined)).needs_speaker());
    }

    #[test]
    fn sound_flows_in_a_call_that_is_up_and_only_there() {
        let flows = |phase| Demand::of([view(1, phase)].iter(), None).line.map(|line| line.flows);
        assert_eq!(flows(Phase::Connected), Some(true));
        assert_eq!(flows(Phase::Connecting), Some(false));
        assert_eq!(flows(Phase::Reconnecting), Some(false));
        assert_eq!(flows(Phase::Incoming { waiting: true }), None);
    }

    #[test]
    fn while_two_calls_change_places_the_one_that_is_up_has_the_devices() {
        for order in [[1, 2], [2, 1]] {
            let views =
                order.map(|call| view(call, if call == 1 { Phase::Connected } else { Phase::Connecting }));
            let line = Demand::of(views.iter(), None).line.unwrap();
            assert_eq!((line.call, line.flows), (CallId::new([1; 16]), true));
        }
    }

    #[test]
    fn a_tone_needs_the_speaker_alone() {
        let tone = Some((CallId::new([1; 16]), Tone::Incoming));
        let demand = Demand::of([view(1, Phase::Incoming { waiting: false })].iter(), tone);
        assert!(demand.needs_speaker() && !demand.needs_microphone());
    }
}
