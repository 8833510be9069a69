//! The handles: what the client holds of its microphone and its speaker.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::choice::{MicrophoneChoice, SpeakerChoice};
use crate::clocked;
use crate::device::{DeviceId, SoundDevice, SoundKind};
use crate::feed::{MicrophoneFeed, SpeakerFeed};
use crate::keeper::Wish;
use crate::line::Pulse;
use crate::meter::Level;
use crate::problem::{Problem, SoundError};
use crate::running::{Built, Line, Stream};
use crate::supervisor::{Arrival, Message, Pipe, Supervisor};

/// How long [`Sound::microphone`], [`Sound::speaker`] and the switches wait for a device. It comes later all the same.
const SETTLING: Duration = Duration::from_secs(3);

/// How long dropping a handle waits for the end of a recording.
const CLOSING: Duration = Duration::from_secs(1);

/// What happened to the devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundEvent {
    /// A device was plugged in or out, or the default is another: list them anew.
    DevicesChanged,
    /// The device in use is gone. [`SoundEvent::DeviceChanged`] or [`SoundEvent::NoDevice`] follows.
    DeviceLost {
        /// Of which kind it was.
        kind: SoundKind,
        /// Which it was.
        device: DeviceId,
        /// Its name.
        name: String,
    },
    /// A stream runs on this device now; also when it comes back after a fault.
    DeviceChanged {
        /// Of which kind it is.
        kind: SoundKind,
        /// Which it is.
        device: DeviceId,
        /// Its name.
        name: String,
    },
    /// Nothing runs. It is tried again, and told once.
    NoDevice {
        /// Of which kind.
        kind: SoundKind,
        /// Why.
        problem: Problem,
    },
    /// The system keeps the device from this program: a person must allow it in the system's settings.
    PermissionDenied {
        /// Of which kind.
        kind: SoundKind,
    },
}

/// How a microphone or a speaker is.
#[derive(Clone, Debug, Default)]
pub struct SoundStatus {
    /// The device that runs; `None` while there is none, and with synthetic ones.
    pub device: Option<SoundDevice>,
    /// Why there is none.
    pub problem: Option<Problem>,
    /// The device's samples per second; 0 while there is none.
    pub rate: u32,
    /// When the first sample of a synthetic device was in the air. Chirp number n starts n times
    /// [`crate::CHIRP_EVERY`] later; sample n of a recording was played n/48,000 s later.
    pub started: Option<Instant>,
    /// Streams opened so far. One means that nothing ever went wrong.
    pub streams: u64,
}

/// What a handle and the supervisor share. Callbacks never touch it.
#[derive(Default)]
pub(crate) struct Shared {
    status: Mutex<SoundStatus>,
    pulse: Mutex<Option<Arc<Pulse>>>,
}

impl Shared {
    pub(crate) fn update(&self, change: impl FnOnce(&mut SoundStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn set_pulse(&self, pulse: Option<Arc<Pulse>>) {
        *self.pulse.lock().unwrap_or_else(PoisonError::into_inner) = pulse;
    }

    fn status(&self) -> SoundStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn level(&self) -> Level {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.as_ref().map_or_else(Level::default, |pulse| pulse.meter.look())
    }
}

/// Sound on this machine: one thread that looks after every microphone and speaker opened through it.
///
/// Dropping it closes them all, without waiting for a sound server that hangs.
pub struct Sound {
    inbox: Sender<Message>,
    thread: Option<JoinHandle<()>>,
    ends: AtomicU64,
}

impl Sound {
    /// Starts the supervisor. It looks at the devices at once and then each second, and tells what happens. Events
    /// wait in the channel until they are taken; to drop the receiver is fine.
    ///
    /// # Errors
    /// When the system refuses a thread. A machine without sound is no error.
    pub fn start() -> Result<(Self, Receiver<SoundEvent>), SoundError> {
        let (inbox, messages) = mpsc::channel();
        let (events, happened) = mpsc::channel();
        let supervisor = Supervisor::new(inbox.clone(), messages, events);
        let thread = thread::Builder::new().name("sound".to_owned()).spawn(move || supervisor.run())?;
        Ok((Self { inbox, thread: Some(thread), ends: AtomicU64::new(0) }, happened))
    }

    /// Opens a microphone. Returns when it runs, or when it turned out that it can't for now; at most 3 s later.
    /// [`Microphone::status`] says which.
    ///
    /// # Errors
    /// When a WAV file can't be read. A device that is missing or refused is no error: it is waited for.
    pub fn microphone(&self, choice: MicrophoneChoice) -> Result<(Microphone, MicrophoneFeed), SoundError> {
        let (handover, feed) = MicrophoneFeed::new();
        let (wish, built) = microphone_wish(&choice)?;
        let end = self.open(SoundKind::Microphone, Pipe::Microphone(handover), wish, built)?;
        Ok((Microphone { end }, feed))
    }

    /// Opens a speaker, as [`Sound::microphone`] does.
    ///
    /// # Errors
    /// When a WAV file can't be written.
    pub fn speaker(&self, choice: SpeakerChoice) -> Result<(Speaker, SpeakerFeed), SoundError> {
        let (handover, feed) = SpeakerFeed::new();
        let (wish, built) = speaker_wish(&choice)?;
        let end = self.open(SoundKind::Speaker, Pipe::Speaker(handover), wish, built)?;
        Ok((Speaker { end }, feed))
    }

    fn open(&self, kind: SoundKind, pipe: Pipe, wish: Wish, built: Option<Built>) -> Result<End, SoundError> {
        let end = End {
            id: self.ends.fetch_add(1, Relaxed),
            inbox: self.inbox.clone(),
            shared: Arc::new(Shared::default()),
        };
        let arrival = Arrival { id: end.id, kind, pipe, shared: end.shared.clone() };
        end.settle(|settled| Message::Open { arrival, wish, built, settled })?;
        Ok(end)
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        let _ = self.inbox.send(Message::ShutDown);
        if let Some(thread) = self.thread.take() {
            // It never waits for the sound system.
            let _ = thread.join();
        }
    }
}

/// What a handle is made of.
struct End {
    id: u64,
    inbox: Sender<Message>,
    shared: Arc<Shared>,
}

impl End {
    /// Sends a message and waits until what it asks for has come or can't for now.
    fn settle(&self, message: impl FnOnce(mpsc::SyncSender<()>) -> Message) -> Result<(), SoundError> {
        let (settled, waits) = mpsc::sync_channel(1);
        self.inbox.send(message(settled)).map_err(|_| SoundError::ShutDown)?;
        match waits.recv_timeout(SETTLING) {
            Ok(()) | Err(mpsc::RecvTimeoutError::Timeout) => Ok(()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(SoundError::ShutDown),
        }
    }

    fn switch(&self, wish: Wish, built: Option<Built>) -> Result<(), SoundError> {
        self.settle(|settled| Message::Switch { id: self.id, wish, built, settled })
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let (settled, waits) = mpsc::sync_channel(1);
        if self.inbox.send(Message::Close { id: self.id, settled }).is_ok() {
            let _ = waits.recv_timeout(CLOSING);
        }
    }
}

fn microphone_wish(choice: &MicrophoneChoice) -> Result<(Wish, Option<Built>), SoundError> {
    Ok(match choice {
        MicrophoneChoice::Default => (Wish::Default, None),
        MicrophoneChoice::Named(words) => (Wish::Named(words.clone()), None),
        synthetic => {
            let built = clocked::microphone(synthetic)?.map(|(clocked, line)| Built {
                stream: Stream::Synthetic(clocked),
                line: Line::Microphone(line),
                rate: carillon_media::SAMPLE_RATE,
            });
            (Wish::Synthetic, built)
        }
    })
}

fn speaker_wish(choice: &SpeakerChoice) -> Result<(Wish, Option<Built>), SoundError> {
    Ok(match choice {
        SpeakerChoice::Default => (Wish::Default, None),
        SpeakerChoice::Named(words) => (Wish::Named(words.clone()), None),
        synthetic => {
            let built = clocked::speaker(synthetic)?.map(|(clocked, line)| Built {
                stream: Stream::Synthetic(clocked),
                line: Line::Speaker(line),
                rate: carillon_media::SAMPLE_RATE,
            });
            (Wish::Synthetic, built)
        }
    })
}

/// An open microphone, the machine's or a synthetic one. Dropping it closes the device; its feed then stays silent.
pub struct Microphone {
    end: End,
}

impl Microphone {
    /// Changes to another source. The feed goes on with it.
    ///
    /// # Errors
    /// When a WAV file can't be read: the source of before stays.
    pub fn switch(&self, choice: &MicrophoneChoice) -> Result<(), SoundError> {
        let (wish, built) = microphone_wish(choice)?;
        self.end.switch(wish, built)
    }

    /// How loud it was since this was last asked.
    pub fn level(&self) -> Level {
        self.end.shared.level()
    }

    /// How it is.
    pub fn status(&self) -> SoundStatus {
        self.end.shared.status()
    }
}

/// An open speaker, the machine's or a synthetic one. Dropping it closes the device, and completes a recording.
pub struct Speaker {
    end: End,
}

impl Speaker {
    /// Changes to another one. The feed goes on with it.
    ///
    /// # Errors
    /// When a WAV file can't be written: the one of before stays.
    pub fn switch(&self, choice: &SpeakerChoice) -> Result<(), SoundError> {
        let (wish, built) = speaker_wish(choice)?;
        self.end.switch(wish, built)
    }

    /// How loud it was since this was last asked.
    pub fn level(&self) -> Level {
        self.end.shared.level()
    }

    /// How it is.
    pub fn status(&self) -> SoundStatus {
        self.end.shared.status()
    }
}
