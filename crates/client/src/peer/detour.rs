//! Peers whose packets make a detour, over an emulated line for example.

use carillon_wire::CallId;
use carillon_wire::frame::Media;

use super::{AudioPath, Peer, PeerCommand, PeerEvents, PeerFactory, Role, VideoPath};

/// What stands in for an address of the other end: a candidate of its own, or none. Cheap to clone.
pub trait StandIn: Fn(&str) -> Option<String> + Clone + Send + Sync + 'static {}

impl<F: Fn(&str) -> Option<String> + Clone + Send + Sync + 'static> StandIn for F {}

/// Makes the same peers as another factory. Each hears of the other end's addresses only what stands in for them.
#[derive(Debug)]
pub struct Detour<P, F> {
    inner: P,
    stand_in: F,
}

impl<P: PeerFactory, F: StandIn> Detour<P, F> {
    /// `inner`'s peers, with candidates replaced by what `stand_in` makes of them.
    pub const fn new(inner: P, stand_in: F) -> Self {
        Self { inner, stand_in }
    }
}

impl<P: PeerFactory, F: StandIn> PeerFactory for Detour<P, F> {
    fn create(&self, call: CallId, role: Role, media: Media, events: PeerEvents) -> Box<dyn Peer> {
        let peer = self.inner.create(call, role, media, events);
        Box::new(Detoured { peer, stand_in: self.stand_in.clone() })
    }
}

struct Detoured<F> {
    peer: Box<dyn Peer>,
    stand_in: F,
}

impl<F: StandIn> Peer for Detoured<F> {
    fn handle(&mut self, command: PeerCommand) {
        let command = match command {
            PeerCommand::AddCandidates { generation, candidates, last } => {
                let candidates = candidates.iter().filter_map(|line| (self.stand_in)(line)).collect();
                PeerCommand::AddCandidates { generation, candidates, last }
            }
            other => other,
        };
        self.peer.handle(command);
    }

    fn audio(&mut self) -> Option<Box<dyn AudioPath>> {
        self.peer.audio()
    }

    fn video(&mut self) -> Option<VideoPath> {
        self.peer.video()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::mpsc;

    use super::*;

    #[derive(Clone, Default)]
    struct Listening(Arc<Mutex<Vec<PeerCommand>>>);

    impl PeerFactory for Listening {
        fn create(&self, _: CallId, _: Role, _: Media, _: PeerEvents) -> Box<dyn Peer> {
            Box::new(self.clone())
        }
    }

    impl Peer for Listening {
        fn handle(&mut self, command: PeerCommand) {
            self.0.lock().unwrap().push(command);
        }
    }

    #[test]
    fn candidates_are_replaced_or_left_out_and_the_rest_passes() {
        let heard = Listening::default();
        let stand_in = |line: &str| line.strip_prefix("known ").map(|port| format!("line {port}"));
        let call = CallId::new([1; 16]);
        let events = PeerEvents::new(call, mpsc::unbounded_channel().0);
        let mut peer = Detour::new(heard.clone(), stand_in).create(call, Role::Caller, Media::Audio, events);
        let candidates = vec!["known 7".to_owned(), "other 8".to_owned()];
        peer.handle(PeerCommand::AddCandidates { generation: 2, candidates, last: true });
        peer.handle(PeerCommand::Close);
        let replaced =
            PeerCommand::AddCandidates { generation: 2, candidates: vec!["line 7".to_owned()], last: true };
        assert_eq!(*heard.0.lock().unwrap(), [replaced, PeerCommand::Close]);
    }
}
