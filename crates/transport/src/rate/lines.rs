//! Simulated lines: calls with an encoder that follows, the real pacer, the real feedback, over `carillon-link` with a
//! virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use carillon_link::{Change, Line, Plan, Script, Settings};
use carillon_media::picture::Rotation;
use rtc::interceptor::{AttributedPacket, Interceptor, Packet, RTPHeaderExtension, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtp;
use rtc::sansio::Protocol as _;
use rtc::shared::TransportContext;

use super::history::History;
use super::{Estimator, Report};
use crate::chain::receipts::Receipts;
use crate::pacer::Pacer;
use crate::video::OutgoingFrame;

const TICK: Duration = Duration::from_millis(1);
const FRAME: Duration = Duration::from_micros(33_333);
const SOUND: Duration = Duration::from_millis(20);
/// Headers of RTP to IP, in bytes.
const OVERHEAD: usize = 68;
const SOUND_BYTES: usize = 80 + OVERHEAD;
const PAYLOAD: usize = 1_100;
/// From packets to the payload in them.
const USEFUL: f64 = 0.94;
const NUMBER: u8 = 1;
const REPAIRS_WAIT: Duration = Duration::from_millis(80);
/// A picture that can't be shown for so long has a keyframe asked for.
const STUCK: Duration = Duration::from_millis(250);

/// What decides how much may be sent.
pub(super) trait Controller {
    fn sent(&mut self, _now: Instant, _departure: Instant, _size: usize) {}
    fn on_reports(&mut self, now: Instant, reports: &[Report]);
    fn look(&mut self, now: Instant);
    fn target(&self) -> f64;
    fn pace(&self) -> f64;
    fn queue(&self) -> Duration;
    fn take_overrun(&mut self) -> bool {
        false
    }
    fn patience(&self) -> Duration {
        Duration::MAX
    }
}

impl Controller for Estimator {
    fn on_reports(&mut self, now: Instant, reports: &[Report]) {
        Self::on_reports(self, now, reports);
    }

    fn look(&mut self, now: Instant) {
        Self::look(self, now, true);
    }

    fn target(&self) -> f64 {
        Self::target(self)
    }

    fn pace(&self) -> f64 {
        Self::pace(self)
    }

    fn queue(&self) -> Duration {
        Self::queue(self)
    }

    fn take_overrun(&mut self) -> bool {
        Self::take_overrun(self)
    }

    fn patience(&self) -> Duration {
        Self::patience(self)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Parcel {
    flow: usize,
    number: u16,
    size: usize,
    sent: Instant,
    what: What,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Sound,
    /// The packet's place among all of the pictures, and its picture.
    Picture {
        sequence: u64,
        frame: usize,
        last: bool,
    },
}

/// A picture, as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) captured: Instant,
    /// The picture that it refers to.
    refers: Option<usize>,
    missing: usize,
    sent: bool,
    /// When it could be shown: its last packet came, and all that it refers to.
    pub(super) shown: Option<Instant>,
    came: Option<Instant>,
}

pub(super) struct Flow {
    pub(super) controller: Box<dyn Controller>,
    history: History,
    pacer: Pacer,
    /// Most that the encoder makes, in bit/s.
    pub(super) most: f64,
    pub(super) encodes: f64,
    random: u64,
    next_frame: Instant,
    next_sound: Instant,
    wants_keyframe: bool,
    keyframe_at: Option<Instant>,
    next_sequence: u64,
    repair: f64,
    kept: BTreeMap<u64, (usize, usize, bool)>,
    highest: Option<u64>,
    asked: Vec<(Instant, u64, u32)>,
    absent: BTreeMap<u64, (Instant, u32)>,
    receiver: Receipts,
    back: VecDeque<(Instant, TransportLayerCc)>,
    pleas: VecDeque<Instant>,
    pub(super) frames: Vec<Frame>,
    pub(super) dropped: u64,
    /// When sent, and how long it took.
    pub(super) sound: Vec<(Instant, Duration)>,
    pub(super) came: Vec<(Instant, usize)>,
    pub(super) targets: Vec<(Instant, f64)>,
}

pub(super) struct World {
    pub(super) line: Line<Parcel>,
    delay: Duration,
    pub(super) flows: Vec<Flow>,
    pub(super) start: Instant,
    pub(super) now: Instant,
}

fn extension() -> StreamInfo {
    let uri = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01".to_owned();
    StreamInfo {
        ssrc: 1,
        rtp_header_extensions: vec![RTPHeaderExtension { uri, id: NUMBER.into() }],
        ..StreamInfo::default()
    }
}

impl Flow {
    fn new(controller: Box<dyn Controller>, now: Instant, seed: u64) -> Self {
        let mut receiver = Receipts::new();
        receiver.bind_remote_stream(&extension());
        let offset = Duration::from_millis(seed * 7 % 33);
        Self {
            encodes: controller.target(),
            controller,
            history: History::default(),
            pacer: Pacer::new(now),
            most: f64::INFINITY,
            random: 88_172_645_463_325_252 ^ seed,
            next_frame: now + offset,
            next_sound: now + offset,
            wants_keyframe: true,
            keyframe_at: None,
            next_sequence: 0,
            repair: 0.0,
            kept: BTreeMap::new(),
            highest: None,
            asked: Vec::new(),
            absent: BTreeMap::new(),
            receiver,
            back: VecDeque::new(),
            pleas: VecDeque::new(),
            frames: Vec::new(),
            dropped: 0,
            sound: Vec::new(),
            came: Vec::new(),
            targets: Vec::new(),
        }
    }

    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 40) as f64 / 16_777_216.0
    }

    fn encode(&mut self, now: Instant) {
        let sound = SOUND_BYTES as f64 * 8.0 / SOUND.as_secs_f64();
        let may = ((self.controller.target() - sound) * USEFUL).max(50_000.0).min(self.most);
        self.encodes += 0.3 * (may - self.encodes);
        let index = self.frames.len();
        let due = self.keyframe_at.is_none_or(|at| now - at >= Duration::from_millis(300));
        let keyframe = self.wants_keyframe && due;
        let chance = self.chance();
        let layer = (index % 2) as u8;
        let share = match (keyframe, layer) {
            (true, _) => 4.0,
            (false, 0) => 1.15,
            (false, _) => 0.85,
        };
        let bytes = self.encodes / 30.0 / 8.0 * share * (0.8 + 0.4 * chance);
        let packets = (bytes as usize).div_ceil(PAYLOAD).max(1);
        let payload = Bytes::from(vec![0; (bytes as usize / packets).max(50)]);
        if keyframe {
            (self.wants_keyframe, self.keyframe_at) = (false, Some(now));
        }
        let refers = if keyframe { None } else { index.checked_sub(if layer == 0 { 2 } else { 1 }) };
        let frame = Frame { captured: now, refers, missing: packets, sent: false, shown: None, came: None };
        self.frames.push(frame);
        let frame = OutgoingFrame {
            timestamp: index as u32,
            captured: now,
            keyframe,
            layer: if keyframe { 0 } else { layer },
            rotation: Rotation::None,
            payloads: vec![payload; packets],
        };
        self.pacer.push(frame, now);
    }
}

impl World {
    pub(super) fn new(line: &str, seed: u64) -> Self {
        let mut settings = Settings::default();
        let script = Script::parse(&format!("at 0 {line}")).unwrap();
        script.steps().for_each(|step| step.change.apply(&mut settings));
        let start = Instant::now();
        let delay = settings.delay.0;
        let plan = Plan::new(settings, Script::default()).unwrap();
        let line = Line::new(plan, seed, start);
        Self { line, delay, flows: Vec::new(), start, now: start }
    }

    pub(super) fn change(&mut self, line: &str) {
        let script = Script::parse(&format!("at 0 {line}")).unwrap();
        let change: Vec<Change> = script.steps().map(|step| step.change).collect();
        change.iter().for_each(|change| self.line.change(self.now, change));
    }

    pub(super) fn call(&mut self, controller: Box<dyn Controller>) {
        let seed = self.flows.len() as u64 + 1;
        self.flows.push(Flow::new(controller, self.now, seed));
    }

    pub(super) fn run(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while self.now < end {
            for index in 0..self.flows.len() {
                self.send(index);
            }
            self.now += TICK;
            while let Some((at, parcel)) = self.line.poll_due(self.now) {
                self.arrive(at, parcel);
            }
            for index in 0..self.flows.len() {
                self.tell(index);
            }
        }
    }

    fn put(&mut self, flow: usize, size: usize, train: Option<u32>, what: What) {
        let number = self.flows[flow].history.leaves(self.now, size, train);
        self.flows[flow].controller.sent(self.now, self.now, size);
        self.line.send(self.now, size, Parcel { flow, number, size, sent: self.now, what });
    }

    fn send(&mut self, index: usize) {
        let now = self.now;
        let flow = &mut self.flows[index];
        if now >= flow.next_sound {
            flow.next_sound += SOUND;
            self.put(index, SOUND_BYTES, None, What::Sound);
        }
        let flow = &mut self.flows[index];
        if now >= flow.next_frame {
            flow.next_frame += FRAME;
            if !flow.pacer.is_full(now) {
                flow.encode(now);
            }
        }
        let asked: Vec<_> = flow.asked.iter().filter(|(at, ..)| *at <= now).map(|asked| asked.1).collect();
        flow.asked.retain(|(at, ..)| *at > now);
        // As `chain::reports` does: what was lost because a queue ran over would keep it full.
        let share = if flow.controller.queue() > REPAIRS_WAIT { 0.05 } else { 0.4 };
        let burst = (flow.controller.target() * 0.05 / 8.0).max(3_600.0);
        flow.repair = (flow.repair + flow.controller.target() * share / 8.0 * TICK.as_secs_f64()).min(burst);
        for sequence in asked {
            if let Some(&(frame, size, last)) = self.flows[index].kept.get(&sequence)
                && self.flows[index].repair > 0.0
            {
                self.flows[index].repair -= size as f64;
                self.put(index, size, None, What::Picture { sequence, frame, last });
            }
        }
        let pace = self.flows[index].controller.pace();
        self.flows[index].pacer.set_pace(pace);
        let flow = &mut self.flows[index];
        let stands_from = flow.history.unheard().and_then(|at| at.checked_add(flow.controller.patience()));
        flow.pacer.set_stands_from(stands_from);
        while let Some(due) = self.flows[index].pacer.poll(now) {
            let flow = &mut self.flows[index];
            let frame = due.timestamp as usize;
            flow.frames[frame].sent = true;
            let sequence = flow.next_sequence;
            flow.next_sequence += 1;
            let size = due.payload.len() + OVERHEAD;
            flow.kept.insert(sequence, (frame, size, due.last));
            if flow.kept.len() > 2_000 {
                flow.kept.pop_first();
            }
            self.put(index, size, Some(due.timestamp), What::Picture { sequence, frame, last: due.last });
        }
        let flow = &mut self.flows[index];
        let (dropped, broken) = flow.pacer.take_dropped();
        flow.dropped += dropped;
        flow.wants_keyframe |= broken;
        // What was asked for and did not come is asked for again.
        let delay = self.delay;
        for (sequence, (next, times)) in &mut flow.absent {
            if *next <= now && *times < 6 {
                flow.asked.push((now + delay, *sequence, *times));
                (*next, *times) = (now + delay * 2 + Duration::from_millis(40), *times + 1);
            }
        }
    }

    fn arrive(&mut self, at: Instant, parcel: Parcel) {
        let flow = &mut self.flows[parcel.flow];
        flow.came.push((at, parcel.size));
        let marker = matches!(parcel.what, What::Picture { last: true, .. });
        let mut header = rtp::Header { version: 2, ssrc: 1, marker, ..Default::default() };
        header.set_extension(NUMBER, Bytes::copy_from_slice(&parcel.number.to_be_bytes())).unwrap();
        let packet = Packet::Rtp(rtp::Packet { header, payload: Bytes::new() });
        let message = AttributedPacket::new(packet);
        let _ = flow.receiver.handle_read(TaggedPacket {
            now: at,
            transport: TransportContext::default(),
            message,
        });
        while flow.receiver.poll_read().is_some() {}
        match parcel.what {
            What::Sound => {
                flow.sound.push((parcel.sent, at - parcel.sent));
            }
            What::Picture { sequence, frame, .. } => {
                let fresh = match flow.highest {
                    Some(highest) if sequence <= highest => flow.absent.remove(&sequence).is_some(),
                    highest => {
                        for absent in highest.map_or(0, |highest| highest + 1)..sequence {
                            flow.absent.insert(absent, (at + Duration::from_millis(10), 0));
                        }
                        flow.highest = Some(sequence);
                        true
                    }
                };
                if fresh {
                    flow.frames[frame].missing -= 1;
                    if flow.frames[frame].missing == 0 {
                        flow.frames[frame].came = Some(at);
                        flow.show(frame);
                    }
                }
            }
        }
    }

    fn tell(&mut self, index: usize) {
        let (now, delay) = (self.now, self.delay);
        let flow = &mut self.flows[index];
        let _ = flow.receiver.handle_timeout(now);
        while let Some(packet) = flow.receiver.poll_write() {
            let Packet::Rtcp(reports) = packet.message.packet else { continue };
            for report in reports {
                if let Some(feedback) = report.as_any().downcast_ref::<TransportLayerCc>() {
                    flow.back.push_back((now + delay, feedback.clone()));
                }
            }
        }
        let mut reports = Vec::new();
        while let Some((_, feedback)) = flow.back.front().filter(|(at, _)| *at <= now).cloned() {
            flow.back.pop_front();
            reports.clear();
            flow.history.feedback(now, &feedback, &mut reports).unwrap();
            flow.controller.on_reports(now, &reports);
        }
        flow.controller.look(now);
        flow.plead(now, delay);
        flow.wants_keyframe |= flow.controller.take_overrun();
        if flow.targets.last().is_none_or(|(_, target)| *target != flow.controller.target()) {
            flow.targets.push((now, flow.controller.target()));
        }
    }
}

impl Flow {
    /// Asks for a keyframe while pictures come that can't be shown.
    fn plead(&mut self, now: Instant, delay: Duration) {
        let recent = self.frames.iter().rev().take(60);
        let stuck = recent
            .clone()
            .any(|frame| frame.shown.is_none() && frame.came.is_some_and(|came| now - came > STUCK));
        let shown = recent.filter_map(|frame| frame.shown).max();
        if stuck
            && shown.is_none_or(|shown| now - shown > STUCK)
            && self.pleas.back().is_none_or(|at| now - *at > STUCK)
        {
            self.pleas.push_back(now);
        }
        while self.pleas.front().is_some_and(|at| now - *at > STUCK) {
            self.pleas.pop_front();
        }
        self.wants_keyframe |= self.pleas.iter().any(|at| now - *at >= delay && now - *at < delay + TICK);
    }

    /// A picture is whole: it is shown, and those that waited for it.
    fn show(&mut self, index: usize) {
        for index in index..self.frames.len().min(index + 60) {
            let frame = self.frames[index];
            let Some(came) = frame.came.filter(|_| frame.shown.is_none()) else { continue };
            let refers = match frame.refers {
                None => Some(came),
                Some(refers) => self.frames[refers].shown,
            };
            self.frames[index].shown = refers.map(|shown| shown.max(came));
        }
    }
}
