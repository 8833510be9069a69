//! The devices of this end, opened and closed on a thread of their own: the sound system may take seconds to answer.

#[cfg(test)]
mod tests;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use carillon_devices::{
    Microphone, MicrophoneChoice, MicrophoneFeed, Sound, SoundError, SoundEvent, SoundKind, SoundStatus,
    Speaker, SpeakerChoice, SpeakerFeed,
};

use super::{SoundDirection, SoundNews};

/// How long devices stay open after nothing needs them any longer: the end tone plays, and a call that comes right
/// after finds them warm.
const LINGER: Duration = Duration::from_millis(1_500);
/// How often events of the devices are looked for while some are open.
const GLANCE: Duration = Duration::from_millis(50);

/// What is to be open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Want {
    pub(super) microphone: Option<MicrophoneChoice>,
    pub(super) speaker: Option<SpeakerChoice>,
}

/// What the desk has for others.
pub(super) enum Delivery {
    Microphone(Option<MicrophoneFeed>),
    Speaker(Option<SpeakerFeed>),
    /// Both devices sit on the head: there is no echo.
    Headset(bool),
    News(SoundNews),
}

/// How the devices are, as last seen; for who asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeskStatus {
    pub(crate) microphone: Option<SoundStatus>,
    pub(crate) speaker: Option<SoundStatus>,
}

/// The desk, from outside.
pub(super) struct Desk {
    wants: Option<Sender<Want>>,
    status: Arc<Mutex<DeskStatus>>,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// Starts the thread. Nothing is opened before something is wanted.
    pub(super) fn start(deliver: impl Fn(Delivery) + Send + 'static) -> std::io::Result<Self> {
        let (wants, received) = channel();
        let status = Arc::new(Mutex::new(DeskStatus::default()));
        let keeper = Keeper {
            wants: received,
            deliver: Box::new(deliver),
            status: Arc::clone(&status),
            sound: None,
            microphone: None,
            speaker: None,
            headset: false,
            wanted: Want::default(),
            close_at: None,
        };
        let thread = thread::Builder::new().name("sound-desk".to_owned()).spawn(move || keeper.run())?;
        Ok(Self { wants: Some(wants), status, thread: Some(thread) })
    }

    pub(super) fn want(&self, want: Want) {
        if let Some(wants) = &self.wants {
            // It ends only after this.
            let _ = wants.send(want);
        }
    }

    pub(super) fn status(&self) -> DeskStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes everything, and waits: recordings are complete then.
    pub(super) fn close(&mut self) {
        self.wants = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // The thread ends by itself; whoever needs to know that it has calls `close`.
        self.wants = None;
    }
}

/// An open end and what it was opened with.
struct Open<D, C> {
    device: D,
    choice: C,
}

struct Keeper {
    wants: Receiver<Want>,
    deliver: Box<dyn Fn(Delivery) + Send>,
    status: Arc<Mutex<DeskStatus>>,
    sound: Option<(Sound, Receiver<SoundEvent>)>,
    microphone: Option<Open<Microphone, MicrophoneChoice>>,
    speaker: Option<Open<Speaker, SpeakerChoice>>,
    headset: bool,
    wanted: Want,
    /// When what is not wanted any longer is closed.
    close_at: Option<Instant>,
}

impl Keeper {
    fn run(mut self) {
        loop {
            let open = self.microphone.is_some() || self.speaker.is_some();
            let next =
                if open { self.wants.recv_timeout(GLANCE) } else { self.wants.recv().map_err(Into::into) };
            match next {
                Ok(want) => {
                    // Only the newest counts: opening may have taken long.
                    let newest = self.wants.try_iter().last().unwrap_or(want);
                    self.change(newest, Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.tick(Instant::now());
        }
        self.close(&Want::default());
    }

    /// Something else is wanted. What is not any longer stays open for a while.
    fn change(&mut self, want: Want, now: Instant) {
        let less = (self.microphone.is_some() && want.microphone.is_none())
            || (self.speaker.is_some() && want.speaker.is_none());
        self.close_at = less.then(|| now + LINGER);
        self.open(&want);
        self.wanted = want;
    }

    fn tick(&mut self, now: Instant) {
        if self.close_at.is_some_and(|at| now >= at) {
            self.close_at = None;
            self.close(&self.wanted.clone());
        }
        self.look();
    }

    /// Opens or switches what is wanted. The speaker first: a caller hears the ringback tone before they talk.
    fn open(&mut self, want: &Want) {
        let Some(choice) = &want.speaker else { return self.open_microphone(want) };
        match &mut self.speaker {
            Some(open) if open.choice == *choice => {}
            Some(open) => match open.device.switch(choice) {
                Ok(()) => open.choice = choice.clone(),
                Err(error) => self.failed(SoundDirection::Speaker, &error),
            },
            None => match self.sound().and_then(|sound| sound.speaker(choice.clone())) {
                Ok((device, feed)) => {
                    self.speaker = Some(Open { device, choice: choice.clone() });
                    (self.deliver)(Delivery::Speaker(Some(feed)));
                }
                Err(error) => self.failed(SoundDirection::Speaker, &error),
            },
        }
        self.open_microphone(want);
    }

    fn open_microphone(&mut self, want: &Want) {
        let Some(choice) = &want.microphone else { return };
        match &mut self.microphone {
            Some(open) if open.choice == *choice => {}
            Some(open) => match open.device.switch(choice) {
                Ok(()) => open.choice = choice.clone(),
                Err(error) => self.failed(SoundDirection::Microphone, &error),
            },
            None => match self.sound().and_then(|sound| sound.microphone(choice.clone())) {
                Ok((device, feed)) => {
                    self.microphone = Some(Open { device, choice: choice.clone() });
                    (self.deliver)(Delivery::Microphone(Some(feed)));
                }
                Err(error) => self.failed(SoundDirection::Microphone, &error),
            },
        }
    }

    fn sound(&mut self) -> Result<&Sound, SoundError> {
        if self.sound.is_none() {
            self.sound = Some(Sound::start()?);
        }
        self.sound.as_ref().map(|(sound, _)| sound).ok_or(SoundError::ShutDown)
    }

    /// Closes what is not wanted. The feed goes first: the audio thread must not wait for a device that is gone.
    fn close(&mut self, want: &Want) {
        if want.microphone.is_none() && self.microphone.is_some() {
            (self.deliver)(Delivery::Microphone(None));
            self.microphone = None;
        }
        if want.speaker.is_none() && self.speaker.is_some() {
            (self.deliver)(Delivery::Speaker(None));
            self.speaker = None;
        }
        if self.microphone.is_none() && self.speaker.is_none() {
            self.sound = None;
        }
    }

    fn failed(&self, device: SoundDirection, error: &SoundError) {
        tracing::warn!(?device, %error, "a device could not be opened");
        (self.deliver)(Delivery::News(SoundNews::Lost { device, message: sentence(&error.to_string()) }));
    }

    /// Passes on what happened to the devices.
    fn look(&mut self) {
        let events: Vec<_> = self.sound.iter().flat_map(|(_, events)| events.try_iter()).collect();
        for event in events {
            if let Some(news) = news(event) {
                (self.deliver)(Delivery::News(news));
            }
        }
        let status = DeskStatus {
            microphone: self.microphone.as_ref().map(|open| open.device.status()),
            speaker: self.speaker.as_ref().map(|open| open.device.status()),
        };
        let worn = |status: &Option<SoundStatus>| {
            status.as_ref().and_then(|status| status.device.as_ref()).is_some_and(|device| device.headset)
        };
        let headset = worn(&status.microphone) && worn(&status.speaker);
        if std::mem::replace(&mut self.headset, headset) != headset {
            (self.deliver)(Delivery::Headset(headset));
        }
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

fn news(event: SoundEvent) -> Option<SoundNews> {
    Some(match event {
        SoundEvent::DevicesChanged => SoundNews::DevicesChanged,
        SoundEvent::DeviceChanged { kind, name, .. } => SoundNews::Using { device: direction(kind), name },
        SoundEvent::NoDevice { kind, problem } => {
            SoundNews::Lost { device: direction(kind), message: sentence(&problem.to_string()) }
        }
        SoundEvent::PermissionDenied { kind } => SoundNews::Lost {
            device: direction(kind),
            message: sentence(&carillon_devices::Problem::PermissionDenied.to_string()),
        },
        // What stands in for it, or that nothing does, is told next.
        SoundEvent::DeviceLost { .. } => return None,
    })
}

const fn direction(kind: SoundKind) -> SoundDirection {
    match kind {
        SoundKind::Microphone => SoundDirection::Microphone,
        SoundKind::Speaker => SoundDirection::Speaker,
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
