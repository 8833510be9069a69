//! Which device an end should be on, and when its stream is to be replaced. Pure: time is an argument.

use std::time::{Duration, Instant};

use crate::device::{DeviceId, SoundDevice, SoundKind, resolve};
use crate::problem::Problem;
use crate::sound::SoundEvent;

/// A stream that delivered this long nothing has died.
pub(crate) const SILENT: Duration = Duration::from_millis(500);

/// Before its first callback a stream has this long: some hardware wakes slowly.
pub(crate) const WAKING: Duration = Duration::from_millis(1_500);

/// How long a device that failed at once is passed over for another.
const AVOIDED: Duration = Duration::from_secs(5);

/// A stream that fails younger than this was no use.
const YOUNG: Duration = Duration::from_secs(2);

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The default device, whichever it is.
    Default,
    /// A device by name or id; the default while it is away.
    Named(String),
    /// A synthetic device, which was opened already and needs no looking after.
    Synthetic,
}

/// What the end shall do.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Open this device and report by [`Keeper::built`], with this generation.
    Open { generation: u64, device: DeviceId },
    /// The stream of now is of no use.
    Close,
    /// Tell the app.
    Tell(SoundEvent),
    /// Look at the devices as soon as possible.
    Look,
}

/// How a stream fares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Health {
    /// The error callback saw the end.
    pub(crate) fault: Option<Problem>,
    /// Since the last callback; `None` before the first.
    pub(crate) silent_for: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Closed,
    Opening { generation: u64, device: DeviceId },
    Open { device: DeviceId, since: Instant },
}

/// Keeps one end on the device it should be on.
pub(crate) struct Keeper {
    kind: SoundKind,
    wish: Wish,
    state: State,
    generation: u64,
    /// The device that was heard or played last, with its name, until something is told about its loss.
    last: Option<(DeviceId, String)>,
    avoided: Vec<(DeviceId, Instant)>,
    /// What was told last, so that it is told once.
    told: Option<Problem>,
}

impl Keeper {
    pub(crate) const fn new(kind: SoundKind, wish: Wish) -> Self {
        Self { kind, wish, state: State::Closed, generation: 0, last: None, avoided: Vec::new(), told: None }
    }

    /// Takes a new wish. What runs goes on until the next look finds something better; a synthetic device ends it.
    pub(crate) fn wish(&mut self, wish: Wish) {
        self.avoided.clear();
        self.told = None;
        if wish == Wish::Synthetic || self.wish == Wish::Synthetic {
            self.state = State::Closed;
            self.last = None;
        }
        self.wish = wish;
    }

    /// Whether it waits for a device.
    pub(crate) fn is_without(&self) -> bool {
        self.wish != Wish::Synthetic && !matches!(self.state, State::Open { .. })
    }

    /// Microphone or speaker.
    pub(crate) const fn kind(&self) -> SoundKind {
        self.kind
    }

    /// Why it is without a device, as it was told.
    pub(crate) const fn problem(&self) -> Option<&Problem> {
        self.told.as_ref()
    }

    /// Whether a stream that was asked for is still wanted.
    pub(crate) fn awaits(&self, built: u64) -> bool {
        matches!(&self.state, State::Opening { generation, .. } if *generation == built)
    }

    fn target<'a>(&self, now: Instant, devices: &'a [SoundDevice]) -> Option<&'a SoundDevice> {
        let avoided =
            |id: &DeviceId| self.avoided.iter().any(|(avoided, until)| avoided == id && now < *until);
        let wished = match &self.wish {
            Wish::Named(words) => resolve(words, self.kind, devices),
            Wish::Default | Wish::Synthetic => None,
        };
        let of_kind = || devices.iter().filter(|device| device.kind == self.kind);
        let default = of_kind().find(|device| device.is_default);
        // A device that fails is tried again where there is no other.
        let usable = wished.into_iter().chain(default).chain(of_kind()).find(|device| !avoided(&device.id));
        usable.or(wished).or(default).or_else(|| of_kind().next())
    }

    /// Compares what runs with what the system has.
    pub(crate) fn look(&mut self, now: Instant, devices: Result<&[SoundDevice], &Problem>) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.wish == Wish::Synthetic {
            return steps;
        }
        self.avoided.retain(|(_, until)| now < *until);
        if devices.is_err() {
            // Not the device failed but the system, and what comes back is new.
            self.avoided.clear();
        }
        let listed = devices.unwrap_or_default();
        let is_there =
            |id: &DeviceId| listed.iter().any(|device| device.kind == self.kind && device.id == *id);
        if let Some((device, name)) = self.last.take_if(|(device, _)| !is_there(device)) {
            steps.push(Step::Tell(SoundEvent::DeviceLost { kind: self.kind, device, name }));
        }
        let Some(target) = self.target(now, listed) else {
            if self.state != State::Closed {
                steps.push(Step::Close);
                self.state = State::Closed;
            }
            let problem = devices.err().cloned().unwrap_or(Problem::NoDevice);
            self.tell(&mut steps, problem);
            return steps;
        };
        let is_on_it = match &self.state {
            State::Closed => false,
            State::Opening { device, .. } | State::Open { device, .. } => *device == target.id,
        };
        if !is_on_it {
            self.generation += 1;
            let device = target.id.clone();
            steps.push(Step::Open { generation: self.generation, device: device.clone() });
            self.state = State::Opening { generation: self.generation, device };
        }
        steps
    }

    fn tell(&mut self, steps: &mut Vec<Step>, problem: Problem) {
        if self.told.as_ref() == Some(&problem) {
            return;
        }
        self.told = Some(problem.clone());
        steps.push(Step::Tell(match problem {
            Problem::PermissionDenied => SoundEvent::PermissionDenied { kind: self.kind },
            problem => SoundEvent::NoDevice { kind: self.kind, problem },
        }));
    }

    /// What came of [`Step::Open`]. Only for a generation that [`Keeper::awaits`].
    pub(crate) fn built(&mut self, now: Instant, name: &str, result: Result<(), Problem>) -> Vec<Step> {
        let mut steps = Vec::new();
        let State::Opening { device, .. } = self.state.clone() else { return steps };
        match result {
            Ok(()) => {
                self.told = None;
                self.last = Some((device.clone(), name.to_owned()));
                steps.push(Step::Tell(SoundEvent::DeviceChanged {
                    kind: self.kind,
                    device: device.clone(),
                    name: name.to_owned(),
                }));
                self.state = State::Open { device, since: now };
            }
            Err(problem) => {
                // What ran before was to be left: its device may be gone or unwanted.
                steps.push(Step::Close);
                self.avoided.push((device, now + AVOIDED));
                self.state = State::Closed;
                self.tell(&mut steps, problem);
                steps.push(Step::Look);
            }
        }
        steps
    }

    /// Judges the stream that runs.
    pub(crate) fn watch(&mut self, now: Instant, health: Health) -> Vec<Step> {
        let State::Open { device, since } = &self.state else { return Vec::new() };
        let age = now.saturating_duration_since(*since);
        let died = health.fault.is_some()
            || match health.silent_for {
                Some(silent) => silent > SILENT,
                None => age > WAKING,
            };
        if !died {
            return Vec::new();
        }
        if age < YOUNG {
            self.avoided.push((device.clone(), now + AVOIDED));
        }
        self.state = State::Closed;
        vec![Step::Close, Step::Look]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: SoundKind = SoundKind::Microphone;

    fn device(id: &str, is_default: bool) -> SoundDevice {
        SoundDevice { id: DeviceId::new(id), name: id.to_uppercase(), kind: KIND, is_default, headset: false }
    }

    fn open(generation: u64, id: &str) -> Step {
        Step::Open { generation, device: DeviceId::new(id) }
    }

    fn changed(id: &str) -> Step {
        let (device, name) = (DeviceId::new(id), id.to_uppercase());
        Step::Tell(SoundEvent::DeviceChanged { kind: KIND, device, name })
    }

    fn lost(id: &str) -> Step {
        let (device, name) = (DeviceId::new(id), id.to_uppercase());
        Step::Tell(SoundEvent::DeviceLost { kind: KIND, device, name })
    }

    fn without(problem: Problem) -> Step {
        Step::Tell(SoundEvent::NoDevice { kind: KIND, problem })
    }

    const WELL: Health = Health { fault: None, silent_for: Some(Duration::from_millis(10)) };

    /// A keeper on device `a`, the default.
    fn on_a(wish: Wish, now: Instant) -> Keeper {
        let mut keeper = Keeper::new(KIND, wish);
        assert_eq!(keeper.look(now, Ok(&[device("a", true), device("b", false)])), [open(1, "a")]);
        assert_eq!(keeper.built(now, "A", Ok(())), [changed("a")]);
        keeper
    }

    #[test]
    fn the_default_is_followed() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Default, now);
        assert_eq!(keeper.look(now, Ok(&[device("a", true), device("b", false)])), []);
        assert_eq!(keeper.look(now, Ok(&[device("a", false), device("b", true)])), [open(2, "b")]);
        assert_eq!(keeper.look(now, Ok(&[device("a", false), device("b", true)])), [], "on its way");
    }

    #[test]
    fn a_chosen_device_stays_whatever_the_default_is() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Named("a".to_owned()), now);
        assert_eq!(keeper.look(now, Ok(&[device("a", false), device("b", true)])), []);
    }

    #[test]
    fn a_chosen_device_that_goes_is_replaced_by_the_default_and_returned_to() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Named("a".to_owned()), now);
        assert_eq!(keeper.look(now, Ok(&[device("b", true)])), [lost("a"), open(2, "b")]);
        assert_eq!(keeper.built(now, "B", Ok(())), [changed("b")]);
        assert_eq!(keeper.look(now, Ok(&[device("a", false), device("b", true)])), [open(3, "a")]);
        assert_eq!(keeper.built(now, "A", Ok(())), [changed("a")]);
    }

    #[test]
    fn a_dead_server_is_told_once_and_its_return_found() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Default, now);
        let fault = Health { fault: Some(Problem::Stopped), silent_for: None };
        assert_eq!(keeper.watch(now + YOUNG, fault), [Step::Close, Step::Look]);
        assert_eq!(keeper.look(now, Err(&Problem::NoServer)), [lost("a"), without(Problem::NoServer)]);
        assert_eq!(keeper.look(now, Err(&Problem::NoServer)), []);
        assert!(keeper.is_without());
        assert_eq!(keeper.look(now, Ok(&[device("a", true)])), [open(2, "a")]);
    }

    #[test]
    fn a_stream_that_delivers_nothing_for_half_a_second_is_replaced() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Default, now);
        let silent = |time| Health { fault: None, silent_for: Some(time) };
        assert_eq!(keeper.watch(now, WELL), []);
        assert_eq!(keeper.watch(now, silent(SILENT)), []);
        let later = now + YOUNG;
        assert_eq!(keeper.watch(later, silent(SILENT + Duration::from_millis(1))), [Step::Close, Step::Look]);
        assert_eq!(keeper.look(later, Ok(&[device("a", true)])), [open(2, "a")], "the same one again");
    }

    #[test]
    fn a_stream_gets_longer_for_its_first_sound() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Default, now);
        let waking = Health { fault: None, silent_for: None };
        assert_eq!(keeper.watch(now + WAKING, waking.clone()), []);
        assert_ne!(keeper.watch(now + WAKING + Duration::from_millis(1), waking), []);
    }

    #[test]
    fn a_device_that_fails_at_once_is_passed_over_for_a_while() {
        let now = Instant::now();
        let both = [device("a", true), device("b", false)];
        let mut keeper = Keeper::new(KIND, Wish::Default);
        assert_eq!(keeper.look(now, Ok(&both)), [open(1, "a")]);
        assert_eq!(
            keeper.built(now, "A", Err(Problem::Busy)),
            [Step::Close, without(Problem::Busy), Step::Look]
        );
        assert_eq!(keeper.look(now, Ok(&both)), [open(2, "b")]);
        assert_eq!(keeper.built(now, "B", Ok(())), [changed("b")]);
        assert_eq!(keeper.look(now + AVOIDED, Ok(&both)), [open(3, "a")]);
    }

    #[test]
    fn a_device_is_not_passed_over_for_what_its_server_did() {
        let now = Instant::now();
        let both = [device("a", true), device("b", false)];
        let mut keeper = on_a(Wish::Default, now);
        let fault = Health { fault: Some(Problem::Stopped), silent_for: None };
        assert_eq!(keeper.watch(now, fault), [Step::Close, Step::Look]);
        keeper.look(now, Err(&Problem::NoServer));
        assert_eq!(keeper.look(now, Ok(&both)), [open(2, "a")]);
    }

    #[test]
    fn a_lone_device_that_fails_is_tried_again_and_told_once() {
        let now = Instant::now();
        let lone = [device("a", true)];
        let mut keeper = Keeper::new(KIND, Wish::Default);
        keeper.look(now, Ok(&lone));
        let denied = Step::Tell(SoundEvent::PermissionDenied { kind: KIND });
        let problem = || Err(Problem::PermissionDenied);
        assert_eq!(keeper.built(now, "A", problem()), [Step::Close, denied, Step::Look]);
        assert_eq!(keeper.look(now, Ok(&lone)), [open(2, "a")]);
        assert_eq!(keeper.built(now, "A", problem()), [Step::Close, Step::Look]);
    }

    #[test]
    fn no_device_at_all_closes_what_runs() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Default, now);
        assert_eq!(keeper.look(now, Ok(&[])), [lost("a"), Step::Close, without(Problem::NoDevice)]);
    }

    #[test]
    fn a_late_answer_for_an_older_wish_is_not_awaited() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Default, now);
        keeper.look(now, Ok(&[device("b", true)]));
        assert!(keeper.awaits(2) && !keeper.awaits(1));
        keeper.look(now, Ok(&[device("c", true)]));
        assert!(keeper.awaits(3) && !keeper.awaits(2));
    }

    #[test]
    fn a_synthetic_device_needs_no_keeping() {
        let now = Instant::now();
        let mut keeper = on_a(Wish::Default, now);
        keeper.wish(Wish::Synthetic);
        assert_eq!(keeper.look(now, Ok(&[])), []);
        assert!(!keeper.is_without());
        keeper.wish(Wish::Default);
        assert_eq!(keeper.look(now, Ok(&[device("a", true)])), [open(2, "a")]);
    }
}
