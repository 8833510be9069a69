//! The thread that keeps a camera running: it looks which ones there are, opens the one that was chosen, gives one up
//! that went silent, and opens it again when it comes back.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::machine::{self, Found};
use super::problem::CameraProblem;
use super::running::Running;
use super::synthetic::{Clocked, Synthetic};
use super::{CameraDevice, CameraStatus, FrameSlot, Wanted};
use crate::device::named;

/// Between two looks at a camera that runs.
const TICK: Duration = Duration::from_millis(100);

/// Between two looks at the cameras.
const LOOK: Duration = Duration::from_secs(1);

/// The same while there is none.
const LOOK_WITHOUT: Duration = Duration::from_millis(500);

/// How long a camera may take to close.
const CLOSING: Duration = Duration::from_millis(500);

/// Cameras that may hang at the same time. More would only pile up threads.
const HUNG: usize = 3;

/// Which camera of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// The first one; one that runs stays while it is there.
    Default,
    /// By id or name. While it is away there are no pictures: another one may show what nobody meant to show.
    Named(String),
}

/// Where pictures come from.
#[derive(Debug)]
pub(super) enum Source {
    Synthetic(Synthetic),
    Device(Wish),
}

/// What the supervisor is told.
#[derive(Debug)]
pub(super) enum Message {
    Switch(Source),
    Stop,
}

/// The camera that a person means; `running` is the one that runs.
fn target<'a>(wish: &Wish, running: Option<&Found>, all: &'a [Found]) -> Option<&'a Found> {
    match wish {
        Wish::Default => all.iter().find(|found| Some(*found) == running).or_else(|| all.first()),
        Wish::Named(words) => {
            named(words, all, |found| found.device.id.as_str(), |found| found.device.name.as_str())
        }
    }
}

/// See the head of this file.
pub(super) struct Supervisor {
    pub(super) inbox: Receiver<Message>,
    pub(super) wanted: Wanted,
    pub(super) slot: FrameSlot,
    pub(super) shared: Arc<Mutex<CameraStatus>>,
    pub(super) wish: Option<Wish>,
    pub(super) synthetic: Option<Clocked>,
    pub(super) running: Option<Running>,
    /// Those that were left behind because they hang.
    pub(super) hung: Vec<Running>,
    pub(super) due: Instant,
    /// Pictures and broken ones of cameras that ran before.
    pub(super) before: (u64, u64),
}

impl Supervisor {
    pub(super) fn run(mut self, first: Source) {
        self.switch(first);
        loop {
            self.tick();
            match self.inbox.recv_timeout(TICK) {
                Ok(Message::Switch(source)) => self.switch(source),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.close();
    }

    fn tell(&self, change: impl FnOnce(&mut CameraStatus)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn switch(&mut self, source: Source) {
        if let Some(old) = self.synthetic.take() {
            self.before.0 += old.frames();
        }
        match source {
            Source::Synthetic(synthetic) => {
                self.close();
                self.wish = None;
                match synthetic.start(self.slot.clone()) {
                    Ok(clocked) => {
                        self.synthetic = Some(clocked);
                        self.tell(|status| (status.problem, status.opened) = (None, status.opened + 1));
                    }
                    Err(error) => self.fails(CameraProblem::System(error.to_string())),
                }
            }
            Source::Device(wish) => {
                self.wish = Some(wish);
                self.due = Instant::now();
            }
        }
    }

    fn fails(&self, problem: CameraProblem) {
        // One that hangs still has the camera, in this program.
        let is_own = problem == CameraProblem::Busy && !self.hung.is_empty();
        let problem = if is_own { CameraProblem::Stopped } else { problem };
        self.tell(|status| status.problem = Some(problem));
    }

    /// Ends the camera that runs.
    fn close(&mut self) {
        let Some(running) = self.running.take() else { return };
        self.before.0 += running.pulse.frames();
        self.before.1 += running.pulse.broken();
        if let Err(hung) = running.close(CLOSING) {
            self.hung.push(hung);
            self.tell(|status| status.abandoned += 1);
        }
        self.tell(|status| (status.device, status.format) = (None, None));
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.hung.retain(|hung| !hung.is_over());
        if let Some(synthetic) = &self.synthetic {
            let (frames, problem) = (self.before.0 + synthetic.frames(), synthetic.problem());
            self.tell(|status| (status.frames, status.problem) = (frames, problem));
        }
        if let Some(running) = &self.running {
            let pulse = Arc::clone(&running.pulse);
            if let Some(problem) = pulse.fault(now) {
                self.close();
                self.fails(problem);
                self.due = now + LOOK_WITHOUT;
            } else {
                let frames = pulse.frames();
                let counts = (self.before.0 + frames, self.before.1 + pulse.broken());
                self.tell(|status| {
                    status.format = pulse.format();
                    (status.frames, status.broken) = counts;
                    if frames > 0 {
                        status.problem = None;
                    }
                });
            }
        }
        if now >= self.due && self.wish.is_some() {
            self.look();
            let rest = if self.running.is_some() { LOOK } else { LOOK_WITHOUT };
            self.due = Instant::now() + rest;
        }
    }

    fn look(&mut self) {
        let Some(wish) = &self.wish else { return };
        let all = match machine::list() {
            Ok(all) => all,
            // One that gives pictures is good, whatever the list says.
            Err(problem) if self.running.is_none() => return self.fails(problem),
            Err(_) => return,
        };
        let current = self.running.as_ref().map(|running| &running.found);
        let Some(target) = target(wish, current, &all) else {
            self.close();
            return self.fails(CameraProblem::NoCamera);
        };
        if current == Some(target) {
            return;
        }
        let target = target.clone();
        self.close();
        if self.hung.len() >= HUNG {
            return self.fails(CameraProblem::Stopped);
        }
        let device: CameraDevice = target.device.clone();
        match Running::start(target, self.wanted, self.slot.clone()) {
            Ok(running) => {
                self.running = Some(running);
                self.tell(|status| {
                    status.device = Some(device);
                    status.opened += 1;
                });
            }
            Err(error) => self.fails(CameraProblem::System(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use nokhwa::utils::CameraIndex;

    use super::*;
    use crate::device::DeviceId;

    fn found(index: u32, name: &str) -> Found {
        let device = CameraDevice { id: DeviceId::new(format!("video{index}")), name: name.to_owned() };
        Found { device, index: CameraIndex::Index(index) }
    }

    #[test]
    fn the_default_is_the_first_and_one_that_runs_stays() {
        let all = [found(0, "Built in"), found(2, "On a cable")];
        assert_eq!(target(&Wish::Default, None, &all), Some(&all[0]));
        assert_eq!(target(&Wish::Default, Some(&all[1]), &all), Some(&all[1]));
        assert_eq!(target(&Wish::Default, Some(&found(4, "Gone")), &all), Some(&all[0]));
        assert_eq!(target(&Wish::Default, None, &[]), None);
    }

    #[test]
    fn no_other_camera_stands_in_for_the_one_that_was_chosen() {
        let all = [found(0, "Built in"), found(2, "On a cable")];
        let wish = |words: &str| Wish::Named(words.to_owned());
        assert_eq!(target(&wish("cable"), Some(&all[0]), &all), Some(&all[1]));
        assert_eq!(target(&wish("video0"), None, &all), Some(&all[0]));
        assert_eq!(target(&wish("cable"), None, &all[..1]), None);
    }
}
