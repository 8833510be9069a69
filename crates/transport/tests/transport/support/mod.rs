//! Two ends, the signaling between them, and a line that a test can spoil.

pub(crate) mod line;
pub(crate) mod villain;

use std::time::{Duration, Instant};

use bytes::Bytes;
use carillon_call::{PeerCommand, Role, Transport};
use carillon_link::Forwarder;
use carillon_transport::{Event, Interfaces, OutgoingAudio, Peer, PeerConfig, ReceivedAudio, Stats};
use carillon_wire::frame::Media;
use carillon_wire::payload::{Description, SdpKind};
use line::Line;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// How long anything may take before a test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Caller,
    Callee,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Caller, Self::Callee];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

pub(crate) struct End {
    pub(crate) peer: Peer,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
}

pub(crate) fn config(role: Role) -> PeerConfig {
    PeerConfig { interfaces: Interfaces::Loopback, ..PeerConfig::new(role, Media::Audio) }
}

impl End {
    pub(crate) fn open(config: PeerConfig) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let peer = Peer::open(config, move |event| {
            let _ = sender.send(event);
        });
        Self { peer, events }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(LIMIT, self.events.recv()).await;
        next.expect("an event within the limit").expect("the peer is not gone")
    }

    /// The first event that fits; others are lost.
    pub(crate) async fn until<T>(&mut self, mut fits: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            let event = self.next().await;
            if let Some(found) = fits(event) {
                return found;
            }
        }
    }

    pub(crate) async fn described(&mut self) -> Description {
        self.until(|event| match event {
            Event::Call(Transport::LocalDescription { description, .. }) => Some(description),
            _ => None,
        })
        .await
    }

    pub(crate) async fn closed(mut self) {
        self.until(|event| matches!(event, Event::Closed).then_some(())).await;
    }
}

/// A description without the other codecs for pictures. Everybody gives VP8 the numbers 96 and 97 here.
pub(crate) fn with_vp8_alone(sdp: &str) -> String {
    let (before, video) = sdp.split_at(sdp.find("m=video").expect("pictures are described"));
    let (video, data) = video.split_at(video.find("m=application").expect("data is described"));
    let is_kept = |line: &&str| {
        let attribute = line.split_once(':');
        let attribute = attribute.filter(|(name, _)| ["a=rtpmap", "a=fmtp", "a=rtcp-fb"].contains(name));
        attribute.is_none_or(|(_, rest)| ["96 ", "97 "].iter().any(|number| rest.starts_with(number)))
    };
    let (_, sections) = video.split_once('\n').expect("lines");
    let kept: String = sections.lines().filter(is_kept).map(|line| format!("{line}\r\n")).collect();
    format!("{before}m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n{kept}{data}")
}

/// What a test sees of both ends.
pub(crate) type Seen = (Side, Transport);

/// Whether both have said something that fits.
pub(crate) fn both(seen: &[Seen], fits: impl Fn(&Transport) -> bool) -> bool {
    Side::BOTH.into_iter().all(|side| seen.iter().any(|(at, said)| *at == side && fits(said)))
}

/// Two ends whose descriptions and candidates reach each other.
pub(crate) struct Pair {
    caller: End,
    callee: End,
    pub(crate) line: Option<Line>,
    /// In place of it: a line with a rate and a queue.
    pub(crate) forwarder: Option<Forwarder>,
    /// The callee knows no H.264.
    pub(crate) vp8_alone: bool,
    /// Everything they said, descriptions and candidates too.
    pub(crate) seen: Vec<Seen>,
}

impl Pair {
    pub(crate) fn direct() -> Self {
        Self::of(config(Role::Caller), config(Role::Callee), None)
    }

    pub(crate) async fn over_a_line(seed: u64) -> Self {
        Self::of(config(Role::Caller), config(Role::Callee), Some(Line::new(seed).await))
    }

    pub(crate) fn of(caller: PeerConfig, callee: PeerConfig, line: Option<Line>) -> Self {
        Self {
            caller: End::open(caller),
            callee: End::open(callee),
            line,
            forwarder: None,
            vp8_alone: false,
            seen: Vec::new(),
        }
    }

    /// End A of the forwarder is the caller's.
    pub(crate) fn over_a_forwarder(forwarder: Forwarder) -> Self {
        Self { forwarder: Some(forwarder), ..Self::direct() }
    }

    pub(crate) fn end(&self, side: Side) -> &End {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }

    pub(crate) fn peer(&self, side: Side) -> &Peer {
        &self.end(side).peer
    }

    pub(crate) fn stats(&self, side: Side) -> Stats {
        self.peer(side).stats()
    }

    /// Lets both go on until what was seen since the call of this is enough.
    pub(crate) async fn until(&mut self, mut enough: impl FnMut(&[Seen]) -> bool) {
        let from = self.seen.len();
        let all = async {
            while !enough(&self.seen[from..]) {
                let (side, event) = tokio::select! {
                    event = self.caller.events.recv() => (Side::Caller, event),
                    event = self.callee.events.recv() => (Side::Callee, event),
                };
                let Some(Event::Call(transport)) = event else { continue };
                self.carry(side, &transport);
                self.seen.push((side, transport));
            }
        };
        tokio::time::timeout(LIMIT, all).await.expect("enough was seen within the limit");
    }

    fn carry(&mut self, from: Side, said: &Transport) {
        let kind = match from {
            Side::Caller => SdpKind::Offer,
            Side::Callee => SdpKind::Answer,
        };
        let command = match said.clone() {
            Transport::LocalDescription { generation, mut description } => {
                if self.vp8_alone {
                    description.sdp = with_vp8_alone(&description.sdp);
                }
                PeerCommand::ApplyRemote { generation, kind, description }
            }
            Transport::LocalCandidates { generation, candidates, last } => {
                let end = match from {
                    Side::Caller => carillon_link::End::A,
                    Side::Callee => carillon_link::End::B,
                };
                let candidates = match (&self.line, &self.forwarder) {
                    (Some(line), _) => {
                        candidates.iter().map(|candidate| line.instead_of(from, candidate)).collect()
                    }
                    (None, Some(forwarder)) => {
                        candidates.iter().filter_map(|line| forwarder.stand_in(end, line)).collect()
                    }
                    (None, None) => candidates,
                };
                PeerCommand::AddCandidates { generation, candidates, last }
            }
            _ => return,
        };
        self.peer(from.other()).handle(command);
    }

    /// Until both say that path and DTLS are up and the data channel is open.
    pub(crate) async fn connect(&mut self) {
        let is_open = |seen: &[Seen], side| seen.contains(&(side, Transport::DataOpen));
        self.until(|seen| Side::BOTH.into_iter().all(|side| is_open(seen, side))).await;
    }

    pub(crate) fn said(&self, side: Side, fits: impl Fn(&Transport) -> bool) -> Option<usize> {
        self.seen.iter().position(|(from, transport)| *from == side && fits(transport))
    }

    pub(crate) async fn close(self) {
        for side in Side::BOTH {
            self.peer(side).handle(PeerCommand::Close);
        }
        let Self { caller, callee, .. } = self;
        caller.closed().await;
        callee.closed().await;
    }
}

/// Speaks packets at their own pace, each with its number.
pub(crate) async fn speak(peer: &Peer, packets: std::ops::Range<u32>, every: Duration) {
    let (sender, before) = (peer.audio(), peer.stats().sent.packets);
    let mut pace = tokio::time::interval(every);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for (count, number) in (0_u64..).zip(packets) {
        pace.tick().await;
        // However busy the machine is: the way to the connection is short, and nothing is to be lost on it.
        while count >= peer.stats().sent.packets - before + 8 {
            pace.tick().await;
        }
        let payload = Bytes::from(number.to_be_bytes().repeat(20));
        sender.send(OutgoingAudio {
            timestamp: number * 960,
            captured: Instant::now(),
            marker: number == 0,
            payload,
        });
    }
}

/// Lets one end [`speak`], and gives what came of it to `enough` until that says so.
pub(crate) async fn talk(
    pair: &Pair,
    from: Side,
    packets: std::ops::Range<u32>,
    every: Duration,
    mut enough: impl FnMut(&ReceivedAudio) -> bool,
) -> Vec<ReceivedAudio> {
    let received = pair.peer(from.other()).received();
    let mut all = Vec::new();
    let listening = eventually("enough came", || {
        while let Some(packet) = received.pop() {
            let end = enough(&packet);
            all.push(packet);
            if end {
                return true;
            }
        }
        false
    });
    tokio::join!(speak(pair.peer(from), packets, every), listening);
    all
}

/// The number in a packet of [`talk`].
pub(crate) fn number(packet: &ReceivedAudio) -> u32 {
    u32::from_be_bytes(*packet.payload.first_chunk().expect("four bytes"))
}

/// Waits until what is asked for holds. Counters and queues tell nobody that they have changed, so they are looked at.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !holds() {
            looks.tick().await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "{what}");
}
