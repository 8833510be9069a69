//! What the calls of this device want of its camera.

use carillon_call::{CallView, Direction, Phase};
use carillon_wire::CallId;

/// What the pictures have to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct VideoDemand {
    /// The camera is to be open: its pictures are sent, or are about to be.
    pub(super) camera: bool,
    /// The call in which pictures are sent.
    pub(super) sends: Option<CallId>,
}

impl VideoDemand {
    pub(super) fn of<'a>(views: impl Iterator<Item = &'a CallView>) -> Self {
        let mut demand = Self::default();
        for view in views.filter(|view| view.local.video) {
            match view.phase {
                Phase::Connected => {
                    demand.camera = true;
                    demand.sends = Some(view.call);
                }
                Phase::Connecting | Phase::Reconnecting => demand.camera = true,
                // Who calls with video sees themselves; the camera is warm when the other side answers.
                Phase::Calling | Phase::Ringing => demand.camera |= view.direction == Direction::Outgoing,
                // A camera that opens before its person has answered would be a spy.
                Phase::Incoming { .. } | Phase::Ended(_) => {}
            }
        }
        demand
    }
}

#[cfg(test)]
mod tests {
    use carillon_call::MediaOn;
    use carillon_wire::AccountId;
    use carillon_wire::frame::Media;

    use super::*;

    fn demand(phase: Phase, direction: Direction, video: bool) -> VideoDemand {
        let view = CallView {
            call: CallId::new([1; 16]),
            account: AccountId::new([9; 16]),
            device: None,
            direction,
            media: Media::Video,
            phase,
            local: MediaOn::start(video),
            camera_fails: false,
            remote: None,
            connected_since: None,
            safety_ready: false,
            online: true,
        };
        VideoDemand::of([view].iter())
    }

    #[test]
    fn the_camera_opens_when_one_calls_and_not_when_one_is_called() {
        assert!(demand(Phase::Ringing, Direction::Outgoing, true).camera);
        assert!(!demand(Phase::Incoming { waiting: false }, Direction::Incoming, true).camera);
        assert!(demand(Phase::Connecting, Direction::Incoming, true).camera);
    }

    #[test]
    fn pictures_leave_in_a_call_that_is_up_and_only_with_the_camera_on() {
        let up = |video| demand(Phase::Connected, Direction::Incoming, video);
        assert_eq!(up(true).sends, Some(CallId::new([1; 16])));
        assert_eq!(up(false), VideoDemand::default());
        let lost = demand(Phase::Reconnecting, Direction::Outgoing, true);
        assert!(lost.camera && lost.sends.is_none());
    }
}
