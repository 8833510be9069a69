//! The audio thread: every 10 ms from the microphone to the other end, and from there to the speaker.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use carillon_wire::CallId;
use tokio::sync::mpsc::UnboundedSender;

use super::desk::{Delivery, Desk, DeskStatus, Want};
use super::worker::Worker;
use super::{Demand, SoundNews, SoundSettings, SoundSource};
use crate::error::ClientError;
use crate::lips::Lips;
use crate::peer::AudioPath;
use crate::quality::Quality;

/// What the sound tells the client's task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    /// A second of a call.
    Quality(Quality),
    /// Something about the devices.
    Sound(SoundNews),
    /// The first sound of the other side is on its way to the speaker.
    FirstSound(CallId),
}

/// What the audio thread is told.
pub(super) enum Order {
    /// The way of a call's sound.
    Path(CallId, Box<dyn AudioPath>, Lips),
    /// The call is over, and so is its path.
    Forget(CallId),
    Demand(Demand),
    Settings(SoundSettings),
    /// The call that had the devices is over.
    EndTone(EndTone),
    Delivery(Delivery),
    Stop,
}

/// What is heard when a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndTone {
    /// It was hung up, here or there.
    HungUp,
    /// It did not come about, or was lost.
    Failed,
}

/// The sound of this client. Starts its threads when a call first needs them.
pub(crate) struct Engine {
    source: SoundSource,
    settings: SoundSettings,
    demand: Demand,
    news: UnboundedSender<News>,
    running: Option<Running>,
}

struct Running {
    orders: Sender<Order>,
    desk: Desk,
    worker: Option<JoinHandle<()>>,
}

impl Engine {
    pub(crate) fn new(settings: SoundSettings, source: SoundSource, news: UnboundedSender<News>) -> Self {
        Self { source, settings, demand: Demand::default(), news, running: None }
    }

    pub(crate) const fn settings(&self) -> &SoundSettings {
        &self.settings
    }

    /// Other settings, at once, in the midst of a call too.
    ///
    /// # Errors
    /// `invalid` when a device is named by nothing.
    pub(crate) fn set(&mut self, settings: SoundSettings) -> Result<(), ClientError> {
        settings.choices()?;
        self.settings = settings;
        self.order(Order::Settings(self.settings.clone()));
        self.want();
        Ok(())
    }

    /// How the devices are.
    pub(crate) fn status(&self) -> DeskStatus {
        self.running.as_ref().map(|running| running.desk.status()).unwrap_or_default()
    }

    /// A call's sound has a way now.
    pub(crate) fn path(&mut self, call: CallId, path: Box<dyn AudioPath>, lips: Lips) {
        self.start();
        self.order(Order::Path(call, path, lips));
    }

    /// A call's way is gone.
    pub(crate) fn forget(&mut self, call: CallId) {
        self.order(Order::Forget(call));
    }

    /// What the calls want now.
    pub(crate) fn demand(&mut self, demand: Demand) {
        if demand == self.demand {
            return;
        }
        self.demand = demand;
        if self.demand.needs_speaker() {
            self.start();
        }
        self.want();
        self.order(Order::Demand(self.demand.clone()));
    }

    /// The call that had the devices is over.
    pub(crate) fn end_tone(&mut self, tone: EndTone) {
        self.order(Order::EndTone(tone));
    }

    /// Closes the devices and ends the threads. May take a moment.
    pub(crate) fn close(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.desk.close();
            let _ = running.orders.send(Order::Stop);
            if let Some(worker) = running.worker.take() {
                let _ = worker.join();
            }
        }
    }

    fn want(&self) {
        let Some(running) = &self.running else { return };
        // They were looked at when they were set.
        let Ok((microphone, speaker)) = self.settings.choices() else { return };
        running.desk.want(Want {
            microphone: (self.demand.needs_microphone() && self.source == SoundSource::Microphone)
                .then_some(microphone),
            speaker: self.demand.needs_speaker().then_some(speaker),
        });
    }

    fn order(&self, order: Order) {
        if let Some(running) = &self.running {
            // The thread ends only when it is told.
            let _ = running.orders.send(order);
        }
    }

    fn start(&mut self) {
        if self.running.is_some() {
            return;
        }
        match self.try_start() {
            Ok(running) => self.running = Some(running),
            Err(error) => tracing::error!(%error, "the system refuses a thread for sound"),
        }
    }

    fn try_start(&self) -> std::io::Result<Running> {
        let (orders, received) = channel();
        let (news, deliver) = (self.news.clone(), orders.clone());
        let desk = Desk::start(move |delivery| match delivery {
            Delivery::News(what) => {
                let _ = news.send(News::Sound(what));
            }
            delivery @ (Delivery::Microphone(_) | Delivery::Speaker(_) | Delivery::Headset(_)) => {
                let _ = deliver.send(Order::Delivery(delivery));
            }
        })?;
        let worker = Worker::new(self.settings.clone(), self.source, self.news.clone(), Instant::now());
        let worker = thread::Builder::new().name("audio".to_owned()).spawn(move || run(worker, &received))?;
        Ok(Running { orders, desk, worker: Some(worker) })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            let _ = running.orders.send(Order::Stop);
        }
    }
}

/// How long a worker sleeps at most while it works: the devices wake it, but there may be none.
const NAP: Duration = Duration::from_millis(10);

fn run(mut worker: Worker, orders: &Receiver<Order>) {
    raise_priority();
    loop {
        if !worker.is_busy() {
            // Nothing to do until somebody says so.
            match orders.recv() {
                Ok(Order::Stop) | Err(_) => return,
                Ok(order) => worker.obey(order, Instant::now()),
            }
        }
        for order in orders.try_iter() {
            match order {
                Order::Stop => return,
                order => worker.obey(order, Instant::now()),
            }
        }
        worker.wait(NAP);
        worker.tick(Instant::now());
    }
}

/// Sound that comes late is heard as a fault, so the system should let this thread go first.
fn raise_priority() {
    // Without the right to it (most people on Linux lack it) the thread does its work all the same.
    if let Err(error) = thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Max) {
        tracing::debug!(?error, "the audio thread has the usual priority");
    }
}
