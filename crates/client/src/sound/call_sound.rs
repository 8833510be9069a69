//! The sound of one call, both ways.

use std::time::Instant;

use carillon_media::Frame;
use carillon_media::opus::OutOfMemory;
use carillon_media::protection::{Protector, Report};
use carillon_wire::CallId;

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::second::{Levels, Seconds};
use crate::lips::Lips;
use crate::peer::{AudioPath, PathStats};
use crate::quality::Quality;

/// A report of the other end that is older says nothing of now.
const FRESH: std::time::Duration = std::time::Duration::from_secs(6);

pub(super) struct CallSound {
    pub(super) call: CallId,
    path: Box<dyn AudioPath>,
    lips: Lips,
    outgoing: Outgoing,
    incoming: Incoming,
    protector: Protector,
    seconds: Seconds,
    /// Sound of the other end was played.
    heard: bool,
    /// What the other end had asked for again at the last look: packets, and runs of neighbours.
    lost_there: (u64, u64),
}

impl CallSound {
    pub(super) fn new(
        call: CallId,
        path: Box<dyn AudioPath>,
        lips: Lips,
        low_data: bool,
        now: Instant,
    ) -> Result<Self, OutOfMemory> {
        let protector = Protector::new(low_data);
        Ok(Self {
            call,
            path,
            lips,
            outgoing: Outgoing::new(protector.settings(), rand::random())?,
            incoming: Incoming::new(now)?,
            protector,
            seconds: Seconds::default(),
            heard: false,
            lost_there: (0, 0),
        })
    }

    pub(super) fn set_low_data(&mut self, low_data: bool) {
        self.protector.set_low_data(low_data);
        self.outgoing.set(self.protector.settings());
    }

    /// The call is up, or up again.
    pub(super) const fn begin(&mut self) {
        self.outgoing.interrupted();
    }

    pub(super) fn take_packets(&mut self, wanted: bool) {
        while let Some(packet) = self.path.receive() {
            if wanted {
                self.incoming.packet(&packet);
            }
        }
    }

    /// The other end's next 10 ms, which leave the speaker at `heard`, if there is one; whether they are the first.
    pub(super) fn next_frame(&mut self, now: Instant, heard: Option<Instant>, frame: &mut Frame) -> bool {
        let hold = self.lips.hold();
        self.incoming.hold(hold);
        if let Some((heard, timestamp)) = heard.zip(self.incoming.next_timestamp()) {
            self.lips.played(timestamp, heard, hold);
        }
        let there = self.incoming.frame(now, frame);
        there && !std::mem::replace(&mut self.heard, true)
    }

    pub(super) fn say(&mut self, frame: &Frame, captured: Instant, muted: bool) {
        if let Some(piece) = self.outgoing.frame(frame, captured, muted)
            && !piece.may_be_left_out
        {
            self.protector.sent(piece.audio.payload.len(), piece.samples);
            self.path.send(piece.audio);
        }
    }

    /// The second that ends now; what is sent from now on is encoded for what it tells.
    pub(super) fn second(&mut self, levels: Levels) -> Quality {
        let path = self.path.stats();
        self.protector.report(&self.report(&path));
        let settings = self.protector.settings();
        if settings != self.outgoing.settings() {
            self.outgoing.set(settings);
        }
        if let Some(remote) = &path.remote {
            self.lost_there = (remote.lost, remote.lost_runs);
        }
        self.seconds.next(self.call, path, self.incoming.stats(), levels)
    }

    fn report(&self, path: &PathStats) -> Report {
        let remote = path.remote.filter(|remote| remote.age < FRESH);
        let burst = remote.map_or(1.0, |remote| {
            let (lost, runs) = self.lost_there;
            let runs = remote.lost_runs.saturating_sub(runs);
            if runs == 0 { 1.0 } else { remote.lost.saturating_sub(lost) as f64 / runs as f64 }
        });
        Report {
            lost: remote.map(|remote| f64::from(remote.fraction_lost)),
            burst,
            round_trip: path.round_trip,
            limit: path.limit,
        }
    }
}
