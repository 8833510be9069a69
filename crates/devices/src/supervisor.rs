//! The thread that looks after microphones and speakers.
//!
//! It never calls the sound system itself, for a server that hangs would hang it: looking, opening and closing run
//! on threads of their own and report as [`Message`]s. One that does not come back in time is given up.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use crate::device::{DeviceId, SoundDevice, SoundKind};
use crate::feed::Handover;
use crate::host::{Host, Survey, survey};
use crate::keeper::{Health, Keeper, Step, Wish};
use crate::line::{MicrophoneLine, Pulse, SpeakerLine};
use crate::problem::Problem;
use crate::running::{self, Built, Line, Stream};
use crate::sound::{Shared, SoundEvent};

/// Between two looks at streams that run.
const TICK: Duration = Duration::from_millis(100);

/// Between two looks at the devices.
const LOOK: Duration = Duration::from_secs(1);

/// The same while an end has no device.
const LOOK_WITHOUT: Duration = Duration::from_millis(250);

/// The least between two looks, however much happens.
const LOOK_LEAST: Duration = Duration::from_millis(200);

/// How long a look may take.
const LOOKING: Duration = Duration::from_secs(3);

/// How long opening may take.
const OPENING: Duration = Duration::from_secs(3);

/// Looks that may hang at the same time. More would only pile up threads.
const HUNG: usize = 3;

/// The way to a feed.
pub(crate) enum Pipe {
    Microphone(Handover<MicrophoneLine>),
    Speaker(Handover<SpeakerLine>),
}

impl Pipe {
    /// Hands a line over. What comes back is for later: the feed has not taken those before.
    fn hand_over(&mut self, line: Option<Line>) -> Option<Option<Line>> {
        use rtrb::PushError::Full;
        match (self, line) {
            (Self::Microphone(pipe), Some(Line::Microphone(line))) => {
                pipe.push(Some(line)).err().map(|Full(line)| line.map(Line::Microphone))
            }
            (Self::Speaker(pipe), Some(Line::Speaker(line))) => {
                pipe.push(Some(line)).err().map(|Full(line)| line.map(Line::Speaker))
            }
            (Self::Microphone(pipe), _) => pipe.push(None).err().map(|_| None),
            (Self::Speaker(pipe), _) => pipe.push(None).err().map(|_| None),
        }
    }
}

/// A new end.
pub(crate) struct Arrival {
    pub(crate) id: u64,
    pub(crate) kind: SoundKind,
    pub(crate) pipe: Pipe,
    pub(crate) shared: Arc<Shared>,
}

/// What the supervisor is told. `settled` is answered when what was asked for runs, or can't for now.
pub(crate) enum Message {
    /// From a handle.
    Open { arrival: Arrival, wish: Wish, built: Option<Built>, settled: SyncSender<()> },
    /// From a handle.
    Switch { id: u64, wish: Wish, built: Option<Built>, settled: SyncSender<()> },
    /// From a handle.
    Close { id: u64, settled: SyncSender<()> },
    /// From a thread that looked at the devices.
    Surveyed { look: u64, survey: Survey },
    /// From a thread that opened one.
    Built { id: u64, generation: u64, result: Result<Built, Problem> },
    /// The end.
    ShutDown,
}

/// A microphone or a speaker.
struct End {
    id: u64,
    keeper: Keeper,
    pipe: Pipe,
    /// A line that the feed had no room for.
    held: Option<Option<Line>>,
    stream: Option<Stream>,
    pulse: Option<Arc<Pulse>>,
    opening: Option<(u64, SoundDevice, Instant)>,
    shared: Arc<Shared>,
    settled: Vec<SyncSender<()>>,
}

impl End {
    fn hand_over(&mut self, line: Option<Line>) {
        self.held = self.pipe.hand_over(line);
    }

    fn settle(&mut self) {
        self.settled.drain(..).for_each(|settled| {
            let _ = settled.try_send(());
        });
    }

    /// Lets a stream take over.
    fn take_over(&mut self, built: Built, device: Option<SoundDevice>) {
        let pulse = built.line.pulse().clone();
        let started = match &built.stream {
            Stream::Synthetic(clocked) => Some(clocked.started),
            Stream::Device(_) => None,
        };
        self.pulse = Some(pulse.clone());
        self.shared.set_pulse(Some(pulse));
        self.hand_over(Some(built.line));
        if let Some(old) = self.stream.replace(built.stream) {
            Built::give_up(old);
        }
        self.shared.update(|status| {
            status.device = device;
            status.problem = None;
            status.rate = built.rate;
            status.started = started;
            status.streams += 1;
        });
        self.settle();
    }

    fn close(&mut self) {
        self.pulse = None;
        self.shared.set_pulse(None);
        if let Some(old) = self.stream.take() {
            self.hand_over(None);
            Built::give_up(old);
        }
        self.shared.update(|status| {
            status.device = None;
            status.rate = 0;
            status.started = None;
        });
    }
}

/// Looks at the devices, one at a time.
struct Lookout {
    count: u64,
    running: Option<Instant>,
    begun: Instant,
    due: Instant,
    hung: usize,
}

/// See the head of this file.
pub(crate) struct Supervisor {
    own: Sender<Message>,
    inbox: Receiver<Message>,
    events: Sender<SoundEvent>,
    host: Option<Host>,
    devices: Option<Result<Vec<SoundDevice>, Problem>>,
    ends: Vec<End>,
    lookout: Lookout,
}

impl Supervisor {
    pub(crate) fn new(own: Sender<Message>, inbox: Receiver<Message>, events: Sender<SoundEvent>) -> Self {
        let now = Instant::now();
        let lookout = Lookout { count: 0, running: None, begun: now, due: now, hung: 0 };
        Self { own, inbox, events, host: None, devices: None, ends: Vec::new(), lookout }
    }

    pub(crate) fn run(mut self) {
        loop {
            let now = Instant::now();
            self.tick(now);
            match self.inbox.recv_timeout(self.pause(now)) {
                Ok(Message::ShutDown) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.ends.iter_mut().for_each(End::close);
    }

    /// Until the next tick.
    fn pause(&self, now: Instant) -> Duration {
        let is_busy = self.lookout.running.is_some()
            || self.ends.iter().any(|end| end.pulse.is_some() || end.opening.is_some() || end.held.is_some());
        let until_look = self.lookout.due.saturating_duration_since(now).max(Duration::from_millis(1));
        if is_busy { until_look.min(TICK) } else { until_look }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Open { arrival, wish, built, settled } => {
                let Arrival { id, kind, pipe, shared } = arrival;
                self.ends.push(End {
                    id,
                    keeper: Keeper::new(kind, wish.clone()),
                    pipe,
                    held: None,
                    stream: None,
                    pulse: None,
                    opening: None,
                    shared,
                    settled: Vec::new(),
                });
                self.wish(id, wish, built, settled);
            }
            Message::Switch { id, wish, built, settled } => self.wish(id, wish, built, settled),
            Message::Close { id, settled } => {
                if let Some(at) = self.ends.iter().position(|end| end.id == id) {
                    self.ends.remove(at).close();
                }
                let _ = settled.try_send(());
            }
            Message::Surveyed { look, survey } => self.surveyed(look, survey),
            Message::Built { id, generation, result } => self.built(id, generation, result),
            Message::ShutDown => {}
        }
    }

    fn wish(&mut self, id: u64, wish: Wish, built: Option<Built>, settled: SyncSender<()>) {
        let Some(end) = self.ends.iter_mut().find(|end| end.id == id) else { return };
        end.keeper.wish(wish);
        end.settled.push(settled);
        match built {
            Some(built) => {
                end.opening = None;
                end.take_over(built, None);
            }
            None => {
                if matches!(end.stream, Some(Stream::Synthetic(_))) {
                    end.close();
                }
                // What is known may do; what is new is found by the look.
                if self.devices.is_some() {
                    self.look_for(id);
                }
                self.look_soon();
            }
        }
    }

    fn look_soon(&mut self) {
        self.lookout.due = self.lookout.due.min(self.lookout.begun + LOOK_LEAST);
    }

    fn tick(&mut self, now: Instant) {
        for id in self.ids() {
            let Some(end) = self.ends.iter_mut().find(|end| end.id == id) else { continue };
            if let Some(line) = end.held.take() {
                end.hand_over(line);
            }
            let mut steps = Vec::new();
            if let Some(pulse) = &end.pulse {
                let health = Health { fault: pulse.fault(), silent_for: pulse.silent_for(now) };
                if pulse.nudge.swap(false, Relaxed) {
                    steps.push(Step::Look);
                }
                if matches!(end.stream, Some(Stream::Synthetic(_))) {
                    end.shared.update(|status| status.problem = health.fault);
                } else {
                    steps.append(&mut end.keeper.watch(now, health));
                }
            }
            let late = end.opening.as_ref().filter(|(.., since)| now.duration_since(*since) > OPENING);
            if let Some((generation, ..)) = late {
                let generation = *generation;
                self.built(id, generation, Err(Problem::NoAnswer));
            }
            self.take(id, steps);
        }
        self.keep_looking(now);
    }

    fn ids(&self) -> Vec<u64> {
        self.ends.iter().map(|end| end.id).collect()
    }

    fn keep_looking(&mut self, now: Instant) {
        if let Some(since) = self.lookout.running {
            if now.duration_since(since) > LOOKING {
                self.lookout.running = None;
                self.lookout.hung += 1;
                self.lookout.count += 1;
                self.lookout.due = now + LOOK;
                self.hangs();
            }
            return;
        }
        if now < self.lookout.due || self.lookout.hung >= HUNG {
            // Checked again with the next tick.
            self.lookout.due = self.lookout.due.max(now + TICK.min(LOOK_LEAST));
            return;
        }
        self.lookout.count += 1;
        self.lookout.begun = now;
        let (look, host, own) = (self.lookout.count, self.host.clone(), self.own.clone());
        let looking = thread::Builder::new().name("sound devices".to_owned()).spawn(move || {
            let _ = own.send(Message::Surveyed { look, survey: survey(host) });
        });
        if looking.is_ok() {
            self.lookout.running = Some(now);
        }
        self.lookout.due = now + LOOK;
    }

    /// The system does not answer. Streams that still deliver stay; who waits is told.
    fn hangs(&mut self) {
        let now = Instant::now();
        for id in self.ids() {
            let Some(end) = self.ends.iter_mut().find(|end| end.id == id) else { continue };
            if end.keeper.is_without() {
                let steps = end.keeper.look(now, Err(&Problem::NoAnswer));
                self.take(id, steps);
            }
        }
    }

    fn surveyed(&mut self, look: u64, survey: Survey) {
        if look != self.lookout.count {
            self.lookout.hung = self.lookout.hung.saturating_sub(1);
            return;
        }
        self.lookout.running = None;
        self.host = survey.host;
        let is_new = self.devices.as_ref().is_some_and(|known| *known != survey.devices);
        self.devices = Some(survey.devices);
        if is_new {
            let _ = self.events.send(SoundEvent::DevicesChanged);
        }
        for id in self.ids() {
            self.look_for(id);
        }
        if self.ends.iter().any(|end| end.keeper.is_without()) {
            self.lookout.due = self.lookout.due.min(Instant::now() + LOOK_WITHOUT);
        }
    }

    /// Shows an end the devices.
    fn look_for(&mut self, id: u64) {
        let Some(devices) = &self.devices else { return };
        let Some(end) = self.ends.iter_mut().find(|end| end.id == id) else { return };
        let steps = end.keeper.look(Instant::now(), devices.as_deref());
        if steps.is_empty() && !end.keeper.is_without() {
            // Already where it should be.
            end.settle();
        }
        self.take(id, steps);
    }

    fn take(&mut self, id: u64, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Open { generation, device } => self.begin_opening(id, generation, &device),
                Step::Close => self.with(id, End::close),
                Step::Tell(event) => {
                    self.with(id, |end| {
                        let problem = end.keeper.problem().cloned();
                        let is_without = problem.is_some();
                        end.shared.update(|status| status.problem = problem);
                        if is_without {
                            end.settle();
                        }
                    });
                    let _ = self.events.send(event);
                }
                Step::Look => self.look_soon(),
            }
        }
    }

    fn with(&mut self, id: u64, change: impl FnOnce(&mut End)) {
        if let Some(end) = self.ends.iter_mut().find(|end| end.id == id) {
            change(end);
        }
    }

    fn begin_opening(&mut self, id: u64, generation: u64, device: &DeviceId) {
        let Some(end) = self.ends.iter_mut().find(|end| end.id == id) else { return };
        let listed = self.devices.as_ref().and_then(|devices| devices.as_ref().ok());
        let kind = end.keeper.kind();
        let found = listed.and_then(|listed| {
            listed.iter().find(|listed| listed.kind == kind && listed.id == *device).cloned()
        });
        let (Some(host), Some(device)) = (self.host.clone(), found) else { return };
        end.opening = Some((generation, device.clone(), Instant::now()));
        let own = self.own.clone();
        let opening = thread::Builder::new().name("sound opening".to_owned()).spawn(move || {
            let result = running::open(&host, &device.id, kind);
            let _ = own.send(Message::Built { id, generation, result });
        });
        if let Err(error) = opening {
            self.built(id, generation, Err(Problem::System(error.to_string())));
        }
    }

    fn built(&mut self, id: u64, generation: u64, result: Result<Built, Problem>) {
        let wanted = self.ends.iter_mut().find(|end| end.id == id && end.keeper.awaits(generation));
        let opening = wanted.and_then(|end| end.opening.take().map(|(_, device, _)| (end, device)));
        let Some((end, device)) = opening else {
            // Too late, or for another wish.
            if let Ok(built) = result {
                Built::give_up(built.stream);
            }
            return;
        };
        let outcome = match result {
            Ok(built) => {
                end.take_over(built, Some(device.clone()));
                Ok(())
            }
            Err(problem) => Err(problem),
        };
        let steps = end.keeper.built(Instant::now(), &device.name, outcome);
        self.take(id, steps);
    }
}
